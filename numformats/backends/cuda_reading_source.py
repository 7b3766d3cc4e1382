"""The CUDA kernels that read operands of matrix products, and give results their dtype."""

from dataclasses import dataclass

from numformats.backends import cpp
from numformats.backends.chain_task import Step
from numformats.backends.cuda_chain_source import rounding, struct
from numformats.backends.cuda_text import C_TYPES, Entry, Params, UnitBase, getter
from numformats.backends.emit import LOADS, STORES
from numformats.core.operand import SplitSpec
from numformats.lanes import LANE32, LANE64, Carrier, Lane
from numformats.rounding import Mode

LAYOUT: Params = (
    *(("U64", f) for f in ("outer", "stored", "inner")),
    *(("I64", f) for f in ("first", "line", "step", "column")),
    ("const I64*", "lines"), ("const I64*", "places"),
)  # fmt: skip
_MADE_LAYOUT = f"Layout{{{', '.join(name for _, name in LAYOUT)}}}"
_FOUND: Params = (("W32*", "found"),)
_N: Params = (("U64", "n"),)


@dataclass(frozen=True)
class FactorUnit(UnitBase):
    """Operands of ``carrier`` as significands, exponents and kinds."""

    carrier: Carrier
    spec: SplitSpec
    magnitude: bool
    needs: tuple[str, ...] = ("SPLIT", "layout", "factors")

    @property
    def lane(self) -> Lane:  # type: ignore[override]
        """The lane of the carrier."""
        return self.carrier.lane

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        load = f"return {LOADS[self.carrier.name].__name__}(x);"
        return struct(
            name,
            f"using Stored = {C_TYPES[self.carrier.stored.__name__]};",
            f"static constexpr bool magnitude = {cpp.literal(self.magnitude)};",
            getter("SplitSpec", "spec", self.spec),
            f"{cpp.PREFIX} static U load(Stored x) {{ {load} }}",
        )

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        stored = C_TYPES[self.carrier.stored.__name__]
        made: Params = (("int*", "sig"), ("short*", "exp"), ("unsigned char*", "kind"))
        scale = (("const short*", "scale_exp"), ("const unsigned char*", "scale_kind"))
        sizes = (("U64", "scale_count"), ("U64", "scale_block"))
        fill: Params = tuple(("I64", f"fill_{f}") for f in ("sig", "exp", "kind"))
        params = ((f"const {stored}*", "x"), *made, *scale, *sizes, *fill, *_FOUND, *LAYOUT)
        more = "Scale{scale_exp, scale_kind, scale_count, scale_block}"
        filled = "Fill{int(fill_sig), int(fill_exp), int(fill_kind)}"
        body = f"factors<{name}>(x, sig, exp, kind, found, {more}, {filled}, {_MADE_LAYOUT});"
        return (Entry(f"factors_{name}", params, body),)


@dataclass(frozen=True)
class ReadUnit(UnitBase):
    """Numbers of dtype ``source`` as numbers of dtype ``target``; see ``ReadTask``."""

    source: str
    target: str
    check: Step | None
    nan: bool
    low: float
    signed_zero: bool
    scale_exp: int
    lane: Lane = LANE64
    needs: tuple[str, ...] = ("CHAIN", "layout", "reading")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode of the check."""
        return () if self.check is None else (self.check.mode,)

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        value = "x"
        if self.low:
            function = "flushed" if self.signed_zero else "flushed_input"
            value = f"{function}(x, {cpp.literal(self.low)})"
        value += f" * {cpp.literal(2.0**self.scale_exp)}" if self.scale_exp else ""
        flags = {
            "checks": self.check is not None, "has_nan": self.nan, "changes": value != "x"
        }  # fmt: skip
        return struct(
            name,
            f"using From = {C_TYPES[self.source]}; using To = {C_TYPES[self.target]};",
            *(f"static constexpr bool {k} = {cpp.literal(v)};" for k, v in flags.items()),
            *rounding("check", self.check),
            f"{cpp.PREFIX} static F64 changed(F64 x) {{ return {value}; }}",
        )

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        arrays = ((f"const {C_TYPES[self.source]}*", "x"), (f"{C_TYPES[self.target]}*", "out"))
        body = f"read<{name}>(x, out, found, {_MADE_LAYOUT});"
        return (Entry(f"read_{name}", (*arrays, *_FOUND, *LAYOUT), body),)


@dataclass(frozen=True)
class AddUnit(UnitBase):
    """Sums of arrays of ``real``, rounded by ``step``."""

    step: Step
    nan: int
    real: str
    lane: Lane = LANE64
    needs: tuple[str, ...] = ("CHAIN", "layout", "reading")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode of the sum."""
        return (self.step.mode,)

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        real = f"using Real = {C_TYPES[self.real]};"
        nan = f"static constexpr U nan = {cpp.literal(self.nan)};"
        return struct(name, real, nan, *rounding("sum", self.step))

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        arrays = ((f"const {C_TYPES[self.real]}*", "x"), (f"{C_TYPES[self.real]}*", "out"))
        return (Entry(f"add_{name}", (*arrays, *_N), f"add<{name}>(x, out, n);"),)


@dataclass(frozen=True)
class CastUnit(UnitBase):
    """Stored bits of one carrier as those of another."""

    source: Carrier
    target: Carrier
    lane: Lane = LANE32
    needs: tuple[str, ...] = ("layout", "casts")

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        bits = f"{LOADS[self.source.name].__name__}(x)"
        bits = "single_bits(x)" if self.source.name == "float64" else bits
        made = f"{STORES[self.target.name].__name__}({bits})"
        made = f"wide_bits({bits})" if self.target.name == "float64" else made
        made = "x" if self.source.name == self.target.name else made
        types = (C_TYPES[c.stored.__name__] for c in (self.source, self.target))
        return struct(
            name,
            *(f"using {n} = {t};" for n, t in zip(("From", "To"), types, strict=True)),
            f"{cpp.PREFIX} static To cast(From x) {{ return To({made}); }}",
        )

    def entries(self, name: str) -> tuple[Entry, ...]:
        """From a layout, and into one."""
        x, out = (C_TYPES[c.stored.__name__] for c in (self.source, self.target))
        params = ((f"const {x}*", "x"), (f"{out}*", "out"), *LAYOUT)
        return tuple(
            Entry(f"{verb}_{name}", params, f"{verb}<{name}>(x, out, {_MADE_LAYOUT});")
            for verb in ("cast", "put")
        )


@dataclass(frozen=True)
class IntegersUnit(UnitBase):
    """Integers of dtype ``source`` as integers of dtype ``target``: read, and wrapped."""

    source: str
    target: str
    lane: Lane = LANE32
    needs: tuple[str, ...] = ("layout", "casts")

    def entries(self, name: str) -> tuple[Entry, ...]:
        """Reading, and (of signed integers) wrapping."""
        arrays = ((f"const {C_TYPES[self.source]}*", "x"), (f"{C_TYPES[self.target]}*", "out"))
        limits = (("I64", "low"), ("I64", "high"))
        read = f"read_integers(x, out, found, low, high, {_MADE_LAYOUT});"
        wrap = (*arrays, ("I64", "spare"), *LAYOUT)
        return (
            Entry(f"integers_{name}", (*arrays, *limits, *_FOUND, *LAYOUT), read),
            Entry(f"wrap_{name}", wrap, f"wrap_integers(x, out, spare, {_MADE_LAYOUT});"),
        )
