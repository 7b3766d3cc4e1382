"""The CUDA kernels of rounding, and of random words and normals: what each is specialised for."""

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
from numformats.backends.emit import LOADS, STORES
from numformats.backends.task import Wrapping
from numformats.core.grid import CodeSpec
from numformats.core.scale import ScaleSpec
from numformats.lanes import Carrier, Lane
from numformats.lowering import Lowered
from numformats.rounding import Mode

LIFTED = 50  # binary exponents of elements that lifting keeps within float32


@dataclass(frozen=True)
class Spec:
    """All that a rounding kernel is specialised for; ``scale`` is None outside blocks."""

    carrier: Carrier
    mode: Mode
    lowered: Lowered
    codes: CodeSpec
    encode: bool
    out: str  #: dtype name of the results
    scale: ScaleSpec | None = None
    wrapping: Wrapping | None = None
    scales: str = "uint8"  #: dtype name of the scale codes

    @property
    def lifts(self) -> bool:
        """Whether elements of liftable blocks (``core/scale.py``) are rounded lifted."""
        if self.scale is None or self.carrier.name != "float32" or self.lowered.general:
            return False
        lane = self.carrier.lane
        low = int(self.lowered.grid.low_shift) - lane.bias - lane.sig_bits
        return low > -LIFTED and int(self.scale.element_emax) < LIFTED


def rule(mode: Mode, needs: int, wrapping: Wrapping | None, given: str, plain_inf: bool) -> str:
    """The call that rounds ``given`` (bits, random bits, spare ones, grid)."""
    if wrapping is not None:
        sign = f"U({cpp.literal(wrapping.sign_bit)})"
        more = f"U({cpp.literal(wrapping.mask)}), {sign}, I({wrapping.exponent})"
        return f"mode_{mode.name}::wrap_bits({given}, {more})"
    flags = f"{cpp.literal(needs)}, {cpp.literal(plain_inf)}"
    return f"mode_{mode.name}::round_bits({given}, {flags})"


def _rule(spec: Spec) -> str:
    low, given = spec.lowered, "bits, rand, spare, grid()"
    return rule(spec.mode, low.needs, spec.wrapping, given, low.plain_inf)


def spec_text(spec: Spec, name: str) -> str:
    """The struct ``name`` that the skeletons take."""
    c = spec.carrier
    general = cpp.literal(spec.lowered.general)
    lines = [
        f"using Stored = {C_TYPES[c.stored.__name__]}; using Out = {C_TYPES[spec.out]};",
        f"static constexpr bool encode = {cpp.literal(spec.encode)}, "
        f"stochastic = {cpp.literal(spec.mode.stochastic)};",
        getter("Grid", "grid", spec.lowered.grid),
        getter("CodeSpec", "codes", spec.codes),
        f"{cpp.PREFIX} static U load(Stored x) {{ return {LOADS[c.name].__name__}(x); }}",
        f"{cpp.PREFIX} static U store(U bits) {{ return {STORES[c.name].__name__}(bits); }}",
        f"{cpp.PREFIX} static U rule(U bits, U rand, U spare) {{ return {_rule(spec)}; }}",
    ]
    if spec.scale is not None:
        lines[-1] = (
            f"{cpp.PREFIX} static U member(U bits, U rand, U spare, Grid g, U amax) {{ return "
            f"mode_{spec.mode.name}::block_bits(bits, rand, spare, g, amax, "
            f"{general} || needs_general(g, I(0))); }}"
        )
        lines.append(f"using Scale = {C_TYPES[spec.scales]};")
        lines.append(getter("ScaleSpec", "scale", spec.scale))
        lines.append(f"static constexpr bool lifts = {cpp.literal(spec.lifts)};")
        lines += _lifting(spec) if spec.lifts else []
    return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"


def _lifting(spec: Spec) -> list[str]:
    """Members of the struct by which elements of liftable blocks are rounded."""
    rule = f"mode_{spec.mode.name}::round_finite(bits, rand, spare, g)"
    return [
        f"{cpp.PREFIX} static U lift(U bits, I k) {{ return lifted(bits, k); }}",
        f"{cpp.PREFIX} static U let_fall(U bits, I k) {{ return let_down(bits, k); }}",
        f"{cpp.PREFIX} static U lifted_member(U bits, U rand, U spare, Grid g) "
        f"{{ return {rule}; }}",
    ]


@dataclass(frozen=True)
class Unit(UnitBase):
    """What is compiled together: the kernels of one ``spec`` (or, without one, words and
    normals of ``lane``). ``lanes``: blocks of that many vectors of 16 bytes, in one pass."""

    lane: Lane
    spec: Spec | None = None
    lanes: int = 0

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The rounding modes that the kernels use."""
        return (self.spec.mode,) if self.spec else ()

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Skeletons and groups of texts that the kernels call."""
        if self.spec is None:
            return ("NORMAL", "DRAW", "normals")
        return ("SCALE", "scalar", "tiling", "blocks") if self.spec.scale else ("scalar",)

    @property
    def largest(self) -> int:
        """Lane magnitude bits of the carrier's largest value, for ``SCALE``."""
        assert self.spec is not None
        return self.spec.carrier.largest

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        return spec_text(self.spec, name) if self.spec else ""

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The kernels, for the struct ``name``."""
        if self.spec is None:
            return random_entries()
        if self.spec.scale is None:
            return (_scalar_entry(self.spec, name),)
        return (_rows_entry(self.spec, name, self.lanes),) if self.lanes else _tile_entries(
            self.spec, name
        )  # fmt: skip


def _scalar_entry(spec: Spec, name: str) -> Entry:
    params = (*_arrays(spec), ("U64", "n"), ("U64", "head"), *STREAM, ("U", "spare"))
    body = f"quantize<{name}>(x, out, n, head, k0, k1, first, spare);"
    return Entry(f"quantize_{name}", params, body)


def _rows_entry(spec: Spec, name: str, lanes: int) -> Entry:
    params = (*_arrays(spec), _scales(spec), ("U64", "n"), *STREAM, ("U", "spare"))
    body = f"rows<{name}, {lanes}>(x, out, scales, n, k0, k1, first, spare);"
    return Entry(f"rows_{name}", params, body)


def _tile_entries(spec: Spec, name: str) -> tuple[Entry, Entry]:
    (x, out), n = _arrays(spec), ("U64", "n")
    top, stream = ("const U*", "amax"), (*STREAM, ("U", "spare"))
    second = (x, out, _scales(spec), top, n, *TILING, *stream)
    body = f"tiles<{name}>(x, out, scales, amax, n, {MADE_TILING}, k0, k1, first, spare);"
    first = (x, ("U*", "amax"), n, *TILING)
    return (
        Entry(f"maxima_{name}", first, f"maxima<{name}>(x, amax, n, {MADE_TILING});"),
        Entry(f"tiles_{name}", second, body),
    )


def _scales(spec: Spec) -> tuple[str, str]:
    return f"{C_TYPES[spec.scales]}*", "scales"


def _arrays(spec: Spec) -> Params:
    stored = C_TYPES[spec.carrier.stored.__name__]
    return (f"const {stored}*", "x"), (f"{C_TYPES[spec.out]}*", "out")


def random_entries() -> tuple[Entry, ...]:
    """Words and normals; names end with the dtype of the result."""
    found = [Entry("words", (("U*", "out"), ("U64", "n"), *STREAM), _WORDS)]
    for real, kind in (("float32", "float"), ("float64", "double")):
        params = ((f"{kind}*", "out"), ("U64", "n"), *STREAM)
        found.append(Entry(f"normals_{real}", params, _NORMALS))
    return tuple(found)


_WORDS = "random_words(out, n, k0, k1, first);"
_NORMALS = "random_normals(out, n, k0, k1, first);"
