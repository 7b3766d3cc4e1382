"""The CUDA kernels of variance-corrected draws in float32 in blocks with power-of-two scales."""

from dataclasses import dataclass
from typing import Any

from numformats.backends.cuda_draw_source import MADE_STREAMS, STREAMS, Law
from numformats.backends.cuda_text import (
    MADE_TILING,
    TILING,
    Entry,
    Params,
    UnitBase,
    draw_getter,
    getter,
)
from numformats.core.draw import DrawGrid
from numformats.lanes import CARRIERS, LANE32, Lane


@dataclass(frozen=True)
class BlockDrawUnit(UnitBase):
    """Draws of float32 in blocks whose scales are chosen by ``scale`` (the fields of a
    ``ScaleSpec``): ``lanes`` vectors along memory, or of any layout (0)."""

    grid: DrawGrid
    law: Law
    scale: tuple[Any, ...]
    lanes: int
    lane: Lane = LANE32
    needs: tuple[str, ...] = (
        "SCALE", "DRAW", "SHORT_DRAW", "BLOCK_DRAW", "scalar", "tiling", "blocks", "gather",
        "counts", "draws", "block_draws",
    )  # fmt: skip

    @property
    def largest(self) -> int:
        """That of float32."""
        return CARRIERS["float32"].largest

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        lines = [
            "using Stored = U; static __device__ U load(U x) { return x; }",
            self.law.definition,
            draw_getter(self.grid),
            getter("ScaleSpec", "scale", self.scale),
        ]
        return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel for blocks along memory; else that of largest magnitudes, and that of
        draws."""
        x: Params = (("const float*", "mean"), ("float*", "out"))
        law: Params = (
            *self.law.params, ("F64", "variance"), ("F64", "sigma"), ("I", "low"), ("I", "high"),
            *STREAMS,
        )  # fmt: skip
        made = f"BlockLaw{{{self.law.made}, variance, sigma, {name}::scale(), low, high}}"
        given = f"{made}, {MADE_STREAMS}"
        counts: Params = (("U64*", "counts"), ("U64", "n"))
        if self.lanes:
            body = f"draw_rows<{name}, {self.lanes}>(mean, out, counts, n, {given});"
            return (Entry(f"draw_rows_{name}", (*x, *counts, *law), body),)
        tops: Params = (("const U*", "x"), ("U*", "amax"), ("U64", "n"))
        first = f"maxima<{name}>(x, amax, n, {MADE_TILING});"
        body = f"draw_tiles<{name}>(mean, out, amax, counts, n, {MADE_TILING}, {given});"
        read: Params = (("const U*", "amax"), *counts, *TILING)
        return (
            Entry(f"draw_maxima_{name}", (*tops, *TILING), first),
            Entry(f"draw_tiles_{name}", (*x, *read, *law), body),
        )
