"""The CUDA kernels of blocks with scales of any kind, and of decoding."""

from dataclasses import dataclass

from numformats.backends import cpp
from numformats.backends.cuda_text import (
    C_TYPES,
    MADE_TILING,
    STREAM,
    TILING,
    Entry,
    Params,
    UnitBase,
    getter,
)
from numformats.backends.task import Levels, Short
from numformats.core.decode import DecodeSpec
from numformats.core.grid import CodeSpec
from numformats.lanes import LANE32, LANE64, Lane
from numformats.lowering import SIGNED_DECODE, Lowered
from numformats.rounding import Mode

_N: Params = (("U64", "n"),)
_WHOLE: Params = (("F64*", "second"), ("F64", "given"))  # the scale of the array
_PARTS = "high, low, inverse, little"
_VECTORS: Params = (("U64", "n"), ("U64", "vectors"))


@dataclass(frozen=True)
class LevelsUnit(UnitBase):
    """From an array of ``real`` to the scales of its blocks; ``reach``: scales that cover draws,
    ``scales``: dtype name of their codes, "" for none."""

    how: Levels
    real: str
    reach: bool
    scales: str
    lane: Lane = LANE64
    needs: tuple[str, ...] = ("SCALE", "DRAW", "tiling", "gather", "levels")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode that rounds scales."""
        return (self.how.mode,)

    def _rule(self) -> str:
        if self.how.is_power:
            return "power_level(top, power())"
        general = cpp.literal(self.how.lowered.general)
        return f"mode_{self.how.mode.name}::float_level(top, whole, spec(), grid(), {general})"

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        spec = ", ".join(cpp.literal(float(v)) for v in self.how.spec)
        lines = [
            f"using Scale = {C_TYPES[self.scales or 'uint8']};",
            f"static constexpr bool encode = {cpp.literal(bool(self.scales))};",
            getter("Grid", "grid", self.how.lowered.grid),
            getter("CodeSpec", "codes", self.how.codes),
            getter("ScaleSpec", "power", self.how.power),
            f"static __device__ constexpr LevelSpec spec() {{ return LevelSpec{{{spec}}}; }}",
            f"{cpp.PREFIX} static F64 level(U64 top, F64 whole) {{ return {self._rule()}; }}",
        ]
        return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """Largest magnitudes, then scales."""
        kind, scale = C_TYPES[self.real], C_TYPES[self.scales or "uint8"]
        maxima = (("U64*", "top"), ("U64*", "finite"))
        given: Params = ((f"const {kind}*", "x"), ("const F64*", "variance"), ("F64", "common"))
        seen = f"tops<{kind}, {cpp.literal(self.reach)}>"
        first = f"{seen}(x, variance, common, top, finite, n, vectors, {MADE_TILING});"
        made: Params = (("F64*", "totals"), (f"{scale}*", "scales"), *_WHOLE)
        read: Params = (("const U64*", "top"), ("const U64*", "finite"))
        second = f"levels<{name}>(top, finite, totals, scales, second, given, n);"
        return (
            Entry(f"tops_{name}", (*given, *maxima, *_VECTORS, *TILING), first),
            Entry(f"levels_{name}", (*read, *made, *_N), second),
        )


@dataclass(frozen=True)
class ScaledUnit(UnitBase):
    """Elements of ``real`` in units of their scales, rounded under ``mode`` or encoded; ``lane``:
    where."""

    lowered: Lowered
    codes: CodeSpec
    mode: Mode
    real: str
    out: str
    encode: bool
    lane: Lane = LANE64

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Skeletons and groups of texts that the kernel calls."""
        return (*("QUOTIENT",) * (self.lane is LANE32), "tiling", "scaled")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode that rounds elements."""
        return (self.mode,)

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        general = cpp.literal(self.lowered.general)
        mode = f"mode_{self.mode.name}"
        rule = f"{mode}::scaled_bits(x, total, rand, spare, grid(), {general})"
        lines = [
            f"using Real = {C_TYPES[self.real]}; using Out = {C_TYPES[self.out]};",
            f"static constexpr bool encode = {cpp.literal(self.encode)}, "
            f"stochastic = {cpp.literal(self.mode.stochastic)};",
            getter("Grid", "grid", self.lowered.grid),
            getter("CodeSpec", "codes", self.codes),
            f"{cpp.PREFIX} static U element(F64 x, F64 total, U rand, U spare) "
            f"{{ return {rule}; }}",
            f"{cpp.PREFIX} static F64 value(U bits) {{ return {mode}::unit_value(bits); }}",
        ]
        return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        arrays = ((f"const {C_TYPES[self.real]}*", "x"), (f"{C_TYPES[self.out]}*", "out"))
        where = (("const F64*", "totals"), *_VECTORS, *TILING)
        params = (*arrays, *where, *STREAM, ("U", "spare"))
        body = f"scaled<{name}>(x, out, totals, n, vectors, {MADE_TILING}, k0, k1, first, spare);"
        return (Entry(f"scaled_{name}", params, body),)


@dataclass(frozen=True)
class ShortUnit(UnitBase):
    """Blocks of ``lanes`` vectors of float32 along memory, in the 32-bit lane; ``scales``: dtype
    name of their codes, which are wanted where ``encode``."""

    short: Short
    spec: tuple[float, float]  #: of the ``LevelSpec``
    level_mode: Mode
    mode: Mode
    lanes: int
    out: str
    encode: bool
    scales: str
    lane: Lane = LANE32
    needs: tuple[str, ...] = ("QUOTIENT", "scalar", "gather", "quotients")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes that round scales and elements."""
        return self.level_mode, self.mode

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        spec = ", ".join(map(cpp.literal, self.spec))
        level = f"mode_{self.level_mode.name}::short_level(top, divisor, inverse, level_grid())"
        easy = f"mode_{self.level_mode.name}::level_by_parts(top, {_PARTS}, level_grid())"
        given = "bits, divisor, inverse, kept, rand, spare, grid()"
        element = f"mode_{self.mode.name}::short_bits({given})"
        given = f"bits, {_PARTS}, kept, rand, spare, grid()"
        parts = f"mode_{self.mode.name}::bits_by_parts({given})"
        named = "F32 high, F32 low, F32 inverse, F32 little"
        lines = [
            f"using Out = {C_TYPES[self.out]}; using Scale = {C_TYPES[self.scales]};",
            f"static constexpr bool encode = {cpp.literal(self.encode)}, "
            f"stochastic = {cpp.literal(self.mode.stochastic)};",
            f"static __device__ constexpr LevelSpec spec() {{ return LevelSpec{{{spec}}}; }}",
            getter("Grid", "level_grid", self.short.level.grid),
            getter("CodeSpec", "level_codes", self.short.level_codes),
            getter("Grid", "grid", self.short.element.grid),
            getter("CodeSpec", "codes", self.short.codes),
            f"{cpp.PREFIX} static U level(U top, F64 divisor, F64 inverse) {{ return {level}; }}",
            f"{cpp.PREFIX} static U element(U bits, F64 divisor, F64 inverse, U kept, U rand, "
            f"U spare) {{ return {element}; }}",
            f"{cpp.PREFIX} static U level_by_parts(U top, {named}) {{ return {easy}; }}",
            f"{cpp.PREFIX} static U by_parts(U bits, {named}, U kept, U rand, U spare) "
            f"{{ return {parts}; }}",
        ]
        return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The largest finite magnitude, then scales and elements."""
        x = ("const float*", "x")
        first = (x, ("U64*", "finite"), *_VECTORS[1:])
        made: Params = ((f"{C_TYPES[self.out]}*", "out"), (f"{C_TYPES[self.scales]}*", "scales"))
        read: Params = (("const U64*", "finite"), *_WHOLE, *_VECTORS[1:])
        stream: Params = (*STREAM, ("U", "spare"))
        given = "x, out, scales, finite, second, given, vectors, k0, k1, first, spare"
        return (
            Entry(f"finite_{name}", first, "finite_top(x, finite, vectors);"),
            Entry(
                f"float_rows_{name}",
                (x, *made, *read, *stream),
                f"float_rows<{name}, {self.lanes}>({given});",
            ),
        )


@dataclass(frozen=True)
class DecodeUnit(UnitBase):
    """Codes to values, and element codes times their scales to values."""

    spec: DecodeSpec
    codes: str
    real: str
    lane: Lane = LANE64
    needs: tuple[str, ...] = ("tiling", "decode")

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        arrays = ((f"const {C_TYPES[self.codes]}*", "codes"), (f"{C_TYPES[self.real]}*", "out"))
        fields = ", ".join(
            f"{'I' if f in SIGNED_DECODE else 'U'}({cpp.literal(int(v))})"
            for f, v in zip(DecodeSpec._fields, self.spec, strict=True)
        )
        spec = f"DecodeSpec{{{fields}}}"
        params = (*arrays, ("const F64*", "totals"), ("F64", "second"), *_VECTORS, *TILING)
        body = f"decoded(codes, out, totals, second, n, vectors, {MADE_TILING}, {spec});"
        return (Entry(f"decoded_{name}", params, body),)
