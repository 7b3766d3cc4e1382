"""Shared power-of-two scales of blocks: from the largest magnitude of a block to its exponent and
its grid.

References: OCP MX 1.0 section 6.3 (floor); NVIDIA round-up scaling (rceil); torchao mx_formats
(ceil, even).
"""

from typing import Any, NamedTuple

from numformats.core.grid import Grid
from numformats.core.lane import (
    CARRIER_MAX,
    EXP_BIAS,
    F32,
    INF_BITS,
    LAST,
    LEFT,
    MAGNITUDE,
    NAN_BITS,
    ONE,
    SIG_BITS,
    ZERO,
    Flag,
    I,
    Int,
    U,
    Word,
    bit_length,
    bits_to_float,
    float_to_bits,
    maximum,
    minimum,
    shl,
    shr,
    where,
)
from numformats.core.quantum import (
    carrier_exponent,
    leading_exponent,
    round_bits,
    significand,
)


class ScaleSpec(NamedTuple):
    """What choosing a scale reads of a block format, as lane scalars.

    Every rule is floor(log2 amax) - emax_elem, plus one where the significand of amax, aligned to
    the top of the lane, exceeds a threshold: never (floor), one half (ceil), the significand of the
    largest element (rceil), or what the element's precision rounds up to a power of two (even).
    """

    element_emax: Any  #: exponent of the largest element
    threshold: Any
    low: Any  #: smallest scale exponent
    high: Any  #: largest scale exponent
    low_code: Any  #: stored code of the smallest
    nan_code: Any  #: stored code of a block that holds NaN or Inf


def aligned(mag: Word) -> Word:
    """Significand of a magnitude with its leading bit at the top of the lane."""
    sig = significand(mag)
    return shl(sig, U(I(LAST + I(ONE)) - bit_length(sig)))


def chosen_exponent(exponent: Int, top: Word, b: ScaleSpec) -> Int:
    """Exponent of the scale for a magnitude with this exponent and aligned significand."""
    floor = I(exponent - b.element_emax)
    return minimum(maximum(I(floor + I(top > b.threshold)), b.low), b.high)


def scale_exponent(amax: Word, b: ScaleSpec) -> Int:
    """Exponent of the scale of a block with largest magnitude ``amax``."""
    k = chosen_exponent(I(leading_exponent(amax) - EXP_BIAS), aligned(amax), b)
    return where(amax == ZERO, b.low, k)


def scale_code(k: Int, amax: Word, b: ScaleSpec) -> Word:
    """Stored code of the scale ``2**k`` of a block."""
    return where(amax < INF_BITS, U(U(I(k - b.low)) + b.low_code), b.nan_code)


def power_bits(e: Int) -> Word:
    """Magnitude bits of ``2**(e - bias - significand bits)``, where the carrier holds it (else
    0)."""
    biased = I(e - SIG_BITS)
    tiny = where(e >= I(ONE), shl(ONE, U(I(e - I(ONE)))), ZERO)
    return where(biased >= I(ONE), shl(U(biased), U(SIG_BITS)), tiny)


def shifted(mag: Word, k: Int, g: Grid) -> Word:
    """``mag * 2**k``; beyond the carrier its largest value on the grid ``g``, below it
    truncated."""
    sig = aligned(mag)
    e = I(leading_exponent(mag) + k)
    normal = U(shl(U(e), U(SIG_BITS)) + U(shr(sig, LEFT) & U(shl(ONE, U(SIG_BITS)) - ONE)))
    tiny = shr(shr(sig, LEFT), U(maximum(I(I(ONE) - e), I(ZERO))))
    last = carrier_exponent(CARRIER_MAX)
    drop = where(g.min_exp <= last, g.top_shift, I(g.low_shift - last))
    d = U(minimum(maximum(drop, I(ZERO)), I(LAST)))
    top = shl(shr(CARRIER_MAX, d), d)
    inside = where(e >= I(ONE), normal, tiny)
    return where(
        mag == ZERO, ZERO, where(e > I(shr(CARRIER_MAX, U(SIG_BITS))), top, minimum(inside, top))
    )


def scaled_grid(g: Grid, k: Int) -> Grid:
    """The element grid ``g`` times ``2**k``; everything beyond it saturates."""
    low = I(g.low_shift + k)
    moved = Grid(
        g.man_bits, I(g.min_exp + k), low, g.top_shift, ZERO, power_bits(low), g.max_pos, g.max_neg,
        ZERO, ZERO, ZERO, ZERO, g.zero_mask, g.sign_mask, ZERO, ZERO,
    )  # fmt: skip
    top = shifted(g.max_pos, k, moved)
    bottom = shifted(g.max_neg, k, moved)
    return Grid(
        moved.man_bits, moved.min_exp, low, moved.top_shift, ZERO, moved.quantum,
        top, bottom, top, bottom, top, bottom, g.zero_mask, g.sign_mask, ZERO, ZERO,
    )  # fmt: skip


def needs_general(g: Grid, k: Int) -> Flag:
    """Whether the grid times ``2**k`` reaches carrier subnormals."""
    return I(g.min_exp + k) < I(ONE)


def liftable(k: Int) -> Flag:
    """Whether float32 elements of a block of scale ``2**k`` can be rounded lifted: times
    ``2**(64 - k)``, which is exact however small they are."""
    return (k >= I(-60)) & (k <= I(60))


def lifted(bits: Word, k: Int) -> Word:
    """An element of a liftable block, lifted."""
    up = bits_to_float(shl(U(I(I(EXP_BIAS + I(64)) - k)), U(SIG_BITS)))
    return float_to_bits(F32(bits_to_float(bits) * up))


def let_down(bits: Word, k: Int) -> Word:
    """A lifted value as the value it stands for."""
    down = bits_to_float(shl(U(I(I(EXP_BIAS - I(64)) + k)), U(SIG_BITS)))
    return float_to_bits(F32(bits_to_float(bits) * down))


def block_bits(bits: Word, rand: Word, spare: Word, g: Grid, amax: Word, general: bool) -> Word:
    """An element rounded to its block's grid ``g``; all NaN where the block holds Inf or NaN."""
    rounded = round_bits(bits, rand, spare, g, general, True)
    return where(amax >= INF_BITS, U(NAN_BITS | U(bits & U(MAGNITUDE + ONE))), rounded)
