"""Draws of ``core/short_draw.py`` in blocks with power-of-two scales: a draw in a block is one on
the grid of its scale. Lanes are the 32-bit ones.
"""

from typing import Any, NamedTuple

from numformats.core.draw import field_of, power_of, reach
from numformats.core.lane import (
    F32,
    F64,
    HALF,
    MAGNITUDE,
    U64,
    W32,
    Flag,
    I,
    Int,
    Real,
    U,
    Word,
    bits_to_float,
    real_to_bits,
    where,
)
from numformats.core.scale import ScaleSpec, chosen_exponent
from numformats.core.scaled import not_a_number
from numformats.core.short_draw import ShortDraw, two_to


class ShortBlocks(NamedTuple):
    """A block format, and a variance, as draws in float32 see them."""

    unit: ShortDraw  #: the elements of a block whose scale is 1
    scale: ScaleSpec
    low: Any  #: int32, exponent of the smallest scale on which blocks are drawn in float32
    high: Any  #: of the largest


def covering_exponent(amax: Word, sigma: Real, b: ScaleSpec) -> Int:
    """Exponent of the scale of a block that covers what can be drawn around means of magnitudes up
    to ``amax``; 1024 where these are not finite."""
    far = reach(F64(bits_to_float(amax)), sigma)
    bits = real_to_bits(far)
    lost = U(U64(bits & U64(0x1FFFFF)) != U64(0))
    top = U(U(HALF | U(U(W32(bits >> U64(21))) & MAGNITUDE)) | lost)
    k = chosen_exponent(I(I(field_of(far)) - I(1023)), top, b)
    return where(far - far == 0.0, where(far > 0.0, k, b.low), I(1024))


def in_single(k: Int, low: Int, high: Int) -> Flag:
    """Whether blocks with the scale 2^k are drawn in float32."""
    return (k >= low) & (k <= high)


def scale_of(k: Int) -> Real:
    """That scale."""
    return where(k < I(1024), power_of(W32(I(k + I(1023)))), not_a_number())


def in_block(g: ShortDraw, k: Int) -> ShortDraw:
    """``g`` times two to the ``k``."""
    scale = two_to(I(k + I(127)))
    far = where(g.man_bits < I(0), scale, F32(1.0))
    return ShortDraw(
        g.man_bits, I(g.bottom + k), I(g.around + k), g.sparse, F32(g.lowest * scale),
        F32(g.largest * scale), F32(g.smallest * scale), F32(g.limit * far), F32(g.ceiling * far),
        g.variance, g.reach, g.widest, g.least,
    )  # fmt: skip
