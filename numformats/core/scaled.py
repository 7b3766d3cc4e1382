"""Blocks with scales of any kind, over reals: from the largest magnitude of a block to its scale,
and elements in units of it. Magnitudes are float64 bit patterns, the lane is the 64-bit one
(``core/quotient.py``: the same in the 32-bit lane, for short formats).

A scale that is no power of two is divided out in float64, which decides every tie of a float32
exactly: numerator and tie differ by at least 2^-31 relative, or not at all (docs/decisions/0007).

References: NVIDIA NVFP4 (two-level scales); OCP MX 1.0 section 6.3.
"""

from typing import Any, NamedTuple

from numformats.core.grid import Grid
from numformats.core.lane import (
    INF_BITS,
    MAGNITUDE,
    ONE,
    U64,
    ZERO,
    Real,
    U,
    Word,
    bits_to_real,
    maximum,
    real_to_bits,
    single,
    where,
)
from numformats.core.quantum import compose, round_bits
from numformats.core.scale import ScaleSpec, scale_exponent


class LevelSpec(NamedTuple):
    """What choosing a float scale reads of a block format, in float64."""

    element_max: Any  #: largest element
    tensor_limit: Any  #: largest element times largest scale; 0 without a second scale


def magnitude_of(x: Real) -> Word:
    """Bit pattern of |x|; it orders magnitudes, NaN on top."""
    return U64(real_to_bits(x) & U64(0x7FFFFFFFFFFFFFFF))


def not_a_number() -> Real:
    """NaN."""
    return bits_to_real(U64(0x7FF8000000000000))


def tensor_level(top: Real, given: Real, v: LevelSpec) -> Real:
    """The float32 scale of an array: the one ``given``, if that is not 0; else that of the largest
    finite magnitude ``top``, 1 where the format has none, or the array is zero throughout."""
    ratio = top / where(v.tensor_limit > 0.0, v.tensor_limit, 1.0)
    found = maximum(single(ratio), 1.401298464324817e-45)
    own = where((top > 0.0) & (v.tensor_limit > 0.0), found, 1.0)
    return where(given > 0.0, given, own)


def float_level(top: Word, second: Real, v: LevelSpec, g: Grid, general: bool) -> Real:
    """Scale of a block, rounded to the grid of the scale format; NaN where it holds NaN or Inf."""
    amax = where(top < INF_BITS, bits_to_real(top), not_a_number())
    ratio = real_to_bits(amax / (v.element_max * second))
    return bits_to_real(round_bits(ratio, ZERO, ZERO, g, general, False))


def power_level(top: Word, b: ScaleSpec) -> Real:
    """As ``float_level`` for scales that are powers of two."""
    power = bits_to_real(compose(ONE, scale_exponent(top, b)))
    return where(top < INF_BITS, power, not_a_number())


def quotient(x: Real, total: Real) -> Real:
    """``x / total``; a zero with the sign of ``x`` where the scale is 0 or NaN."""
    usable = total > 0.0
    zero = bits_to_real(U(real_to_bits(x) & U(MAGNITUDE + ONE)))
    return where(usable, x / where(usable, total, 1.0), zero)


def scaled_bits(x: Real, total: Real, rand: Word, spare: Word, g: Grid, general: bool) -> Word:
    """Float64 bits of ``x`` in units of its scale, rounded to the element grid."""
    return round_bits(real_to_bits(quotient(x, total)), rand, spare, g, general, False)


def unit_value(bits: Word) -> Real:
    """The value of such bits."""
    return bits_to_real(bits)


def rescaled(unit: Real, total: Real) -> Real:
    """A value in units of its scale as the value it stands for; NaN in a block without scale."""
    value = unit * total
    return where(value == value, value, not_a_number())


def unit_mean(mean: Real, total: Real) -> Real:
    """The mean of a draw in units of its scale; NaN in a block without scale."""
    inside = where(total > 0.0, mean / where(total > 0.0, total, 1.0), mean)
    return where(total == total, inside, not_a_number())


def unit_variance(variance: Real, total: Real) -> Real:
    """The variance of a draw in units of its scale; 0 where that is not finite."""
    found = variance / total / total
    return where(found - found == 0.0, found, 0.0)
