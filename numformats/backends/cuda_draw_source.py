"""The CUDA kernel of variance-corrected draws."""

from dataclasses import dataclass

from numformats.backends import cpp
from numformats.backends.cuda_text import (
    C_TYPES,
    MADE_TILING,
    TILING,
    Entry,
    Params,
    UnitBase,
    draw_getter,
)
from numformats.core.draw import DrawGrid
from numformats.lanes import LANE32, Lane

_KEYS = ("k0", "k1", "h0", "h1")


@dataclass(frozen=True)
class DrawUnit(UnitBase):
    """Draws of ``real`` on a grid; ``each``: every element has a variance, ``blocks``: in units of
    the scales of blocks."""

    grid: DrawGrid
    real: str
    each: bool
    blocks: bool
    lane: Lane = LANE32
    needs: tuple[str, ...] = ("DRAW", "tiling", "gather", "counts", "draws")

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        flags = f"EACH = {cpp.literal(self.each)}, BLOCKS = {cpp.literal(self.blocks)}"
        lines = [f"using Real = {C_TYPES[self.real]};", f"static constexpr bool {flags};"]
        return f"struct {name} {{ {' '.join([*lines, draw_getter(self.grid)])} }};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        kind = C_TYPES[self.real]
        params: Params = (
            (f"const {kind}*", "mean"), ("const F64*", "variance"), ("F64", "common"),
            (f"{kind}*", "out"), ("U64*", "counts"), ("U64", "n"), ("U64", "vectors"),
            ("const F64*", "totals"), *TILING, *(("W32", key) for key in _KEYS), ("U64", "first"),
        )  # fmt: skip
        body = (
            f"draws<{name}>(mean, variance, common, out, counts, n, vectors, totals, "
            f"{MADE_TILING}, DrawKeys{{{', '.join(_KEYS)}}}, first);"
        )
        return (Entry(f"draws_{name}", params, body),)
