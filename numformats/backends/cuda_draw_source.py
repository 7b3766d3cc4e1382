"""The CUDA kernel of variance-corrected draws."""

from dataclasses import dataclass
from typing import Any

from numformats.backends import cpp
from numformats.backends.cuda_text import (
    C_TYPES,
    MADE_TILING,
    SHORT_KINDS,
    TILING,
    Entry,
    Params,
    UnitBase,
    draw_getter,
    own_getter,
)
from numformats.backends.task import EITHER, NARROW, WIDE, law_of
from numformats.core.draw import DrawGrid
from numformats.core.short_draw import OwnDraws, ShortDraw
from numformats.lanes import LANE32, Lane

_KEYS = ("k0", "k1", "h0", "h1")
STREAMS: Params = (*(("W32", key) for key in _KEYS), ("U64", "first"))
MADE_STREAMS = f"DrawKeys{{{', '.join(_KEYS)}}}, first"
_KINDS = {"F32": "float", "I": "int"}
_SPREAD = ("variance", "reach", "widest", "least")  # what ``ShortDraw`` says of a variance


@dataclass(frozen=True)
class Law:
    """How a kernel draws where all elements have one variance: in float64, or in float32 on
    ``short`` (the constants of a ``ShortDraw``), by the law ``which``."""

    short: tuple[Any, ...] = ()
    which: int = EITHER

    @classmethod
    def of(cls, short: ShortDraw | None) -> "Law":
        """The law of draws with the form ``short``."""
        return cls(short[: -len(_SPREAD)], law_of(short)) if short else cls()

    @classmethod
    def in_blocks(cls, unit: ShortDraw) -> "Law":
        """The law of blocks, which depends on their scales."""
        return cls(unit[: -len(_SPREAD)])

    @property
    def params(self) -> Params:
        """The arguments that say the variance."""
        if self.short:
            return tuple((_KINDS[SHORT_KINDS[f]], f"{f}_of") for f in _SPREAD)
        return (("F64", "variance_of"),)

    @property
    def definition(self) -> str:
        """What it is to the struct of a kernel."""
        kind = "ShortDraw" if self.short else "LongDraw"
        laws = f"LAW = {self.which}, WIDE = {WIDE}, NARROW = {NARROW}"
        return f"using Law = {kind}; static constexpr int {laws};"

    @property
    def made(self) -> str:
        """The law of those arguments."""
        if not self.short:
            return "LongDraw{variance_of, root(variance_of)}"
        known = (cpp.literal(value.item()) for value in self.short)
        return f"ShortDraw{{{', '.join([*known, *(f'{f}_of' for f in _SPREAD)])}}}"


def spread_of(short: ShortDraw | None, variance: Any) -> tuple[Any, ...]:
    """The arguments of ``Law.params``."""
    return short[-len(_SPREAD) :] if short else (variance,)


@dataclass(frozen=True)
class DrawUnit(UnitBase):
    """Draws of ``real`` on a grid; ``each``: every element has a variance, of the type ``spread``,
    with the forms ``own`` where ``real`` is float32; ``blocks``: in units of the scales of blocks.
    """

    grid: DrawGrid
    real: str
    each: bool
    spread: str
    own: OwnDraws | None
    blocks: bool
    law: Law
    lane: Lane = LANE32
    needs: tuple[str, ...] = ("DRAW", "SHORT_DRAW", "tiling", "gather", "counts", "draws")

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        flags = f"EACH = {cpp.literal(self.each)}, BLOCKS = {cpp.literal(self.blocks)}"
        types = (("Real", self.real), ("Spread", self.spread))
        lines = [f"using {name} = {C_TYPES[kind]};" for name, kind in types]
        lines += [f"static constexpr bool {flags};", self.law.definition]
        lines += [own_getter(self.own)] if self.own else []
        return f"struct {name} {{ {' '.join([*lines, draw_getter(self.grid)])} }};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        kind = C_TYPES[self.real]
        params: Params = (
            (f"const {kind}*", "mean"), (f"const {C_TYPES[self.spread]}*", "variance"),
            *self.law.params,
            (f"{kind}*", "out"), ("U64*", "counts"), ("U64", "n"), ("U64", "vectors"),
            ("const F64*", "totals"), *TILING, *STREAMS,
        )  # fmt: skip
        body = (
            f"draws<{name}>(mean, variance, {self.law.made}, out, counts, n, vectors, totals, "
            f"{MADE_TILING}, {MADE_STREAMS});"
        )
        return (Entry(f"draws_{name}", params, body),)
