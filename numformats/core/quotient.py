"""Float scales in the 32-bit lane: quotients of magnitudes as float32, rounded to odd.

Rounded to odd, a float32 compares as the quotient does with every number of up to 23 bits, which is
all that modes of halves ask of values and ties (``short_blocks.py`` says which formats are short
enough). Stochastic modes round that float32, less than a step of it from the quotient
(docs/decisions/0026). A float32 within one step of the quotient is found with the inverse of the
divisor; the sign of what it leaves of the numerator tells on which side the quotient lies. In
float64 that needs a product with a divisor of up to 29 bits, which is exact; in float32, for
divisors of moderate size, two fused products with its high and low part, of which the first is
exact, or so large that the second cannot turn its sign (docs/decisions/0024).
"""

from numformats.core.grid import Grid
from numformats.core.lane import (
    F32,
    F64,
    INF_BITS,
    LAST,
    MAGNITUDE,
    NAN_BITS,
    ONE,
    ZERO,
    Flag,
    Real,
    U,
    Word,
    bits_to_float,
    float_to_bits,
    fused,
    minimum,
    where,
)
from numformats.core.quantum import round_finite


def divisor_of(total: Real) -> Real:
    """The scale of a block as a divisor; 1 where it is 0 or NaN."""
    return where(total > 0.0, total, 1.0)


def kept_of(total: Real) -> Word:
    """What of magnitudes is divided: nothing where the scale is 0 or NaN."""
    return where(total > F32(0.0), MAGNITUDE, ZERO)


def odd_quotient(mag: Word, divisor: Real, inverse: Real) -> Word:
    """The magnitude ``mag / divisor``, rounded to odd; ``inverse`` is ``1 / divisor`` in
    float64."""
    x = F64(bits_to_float(mag))
    near = x * inverse
    short = F32(near)
    rest = x - F64(short) * divisor
    return U(U(float_to_bits(short) - U(rest < 0.0)) | U(rest != 0.0))


def short_level(top: Word, divisor: Real, inverse: Real, g: Grid) -> Word:
    """Scale of a block of largest magnitude ``top``, in units of ``divisor``; NaN where it holds
    NaN or Inf."""
    mag = odd_quotient(top, divisor, inverse)
    return where(top < INF_BITS, round_finite(mag, ZERO, ZERO, g), NAN_BITS)


def short_bits(
    bits: Word, divisor: Real, inverse: Real, kept: Word, rand: Word, spare: Word, g: Grid
) -> Word:
    """An element in units of its scale, rounded to the element grid."""
    mag = odd_quotient(U(bits & kept), divisor, inverse)
    return round_finite(U(mag | U(bits & U(MAGNITUDE + ONE))), rand, spare, g)


def scaled_bits(x: Real, total: Real, rand: Word, spare: Word, g: Grid, general: bool) -> Word:
    """Float32 bits of ``x`` (a float32) in units of its scale, rounded to the element grid."""
    divisor = divisor_of(total)
    inverse = 1.0 / divisor
    return short_bits(float_to_bits(F32(x)), divisor, inverse, kept_of(total), rand, spare, g)


def unit_value(bits: Word) -> Real:
    """The value of such bits."""
    return F64(bits_to_float(bits))


def reach_of(total: Real) -> Word:
    """The largest magnitude whose quotient is far within float32's range; in blocks with the scale
    of their own largest magnitude all are."""
    return float_to_bits(F32(total * F32(1.152921504606847e18)))


def moderate(level: Real, whole: Real, top: Word, g: Grid) -> Flag:
    """Whether a scale (in float32, as that of the array) is 0, or such that float32 divides
    magnitudes up to ``top`` by its parts as well: whatever of a quotient the grid can see, a
    product leaves a rest within float32's range."""
    total = F32(level * whole)
    seen = F32(total * bits_to_float(g.quantum)) >= F32(2.168404344971009e-19)
    inside = (total <= F32(1.8446744073709552e19)) & (top <= reach_of(total))
    return (level == F32(0.0)) | (seen & inside)


def high_of(level: Real, whole: Real) -> Real:
    """The nearest float32 of a scale as a divisor."""
    total = F32(level * whole)
    return where(level > F32(0.0), total, F32(1.0))


def low_of(level: Real, whole: Real, high: Real) -> Real:
    """What that lacks."""
    rest = fused(level, whole, F32(-high))
    return where(level > F32(0.0), rest, F32(0.0))


def reciprocal_of(high: Real) -> Real:
    """The inverse of a divisor, in float32."""
    return F32(F32(1.0) / high)


def little_of(high: Real, low: Real, inverse: Real) -> Real:
    """What that lacks."""
    rest = fused(F32(-low), inverse, fused(F32(-high), inverse, F32(1.0)))
    return F32(inverse * rest)


def quotient_by_parts(mag: Word, high: Real, low: Real, inverse: Real, little: Real) -> Word:
    """As ``odd_quotient``, in float32: a divisor and its inverse in two parts each, the first of
    them nearest. What is left is no -0: its sign bit says whether it is below 0."""
    x = bits_to_float(mag)
    near = fused(x, inverse, F32(x * little))
    rest = float_to_bits(fused(F32(-near), low, fused(F32(-near), high, x)))
    return U(U(float_to_bits(near) - U(rest >> U(LAST))) | minimum(rest, ONE))


def level_by_parts(top: Word, high: Real, low: Real, inverse: Real, little: Real, g: Grid) -> Word:
    """As ``short_level``, in float32."""
    mag = quotient_by_parts(top, high, low, inverse, little)
    return where(top < INF_BITS, round_finite(mag, ZERO, ZERO, g), NAN_BITS)


def bits_by_parts(
    bits: Word,
    high: Real,
    low: Real,
    inverse: Real,
    little: Real,
    kept: Word,
    rand: Word,
    spare: Word,
    g: Grid,
) -> Word:
    """As ``short_bits``, in float32."""
    mag = quotient_by_parts(U(bits & kept), high, low, inverse, little)
    return round_finite(U(mag | U(bits & U(MAGNITUDE + ONE))), rand, spare, g)


def value_by_parts(bits: Word, high: Real, low: Real) -> Word:
    """Float32 bits of what a value in units of a moderate scale stands for; zeros keep their
    sign."""
    unit = bits_to_float(bits)
    value = fused(unit, high, F32(unit * low))
    return U(float_to_bits(value) | U(bits & U(MAGNITUDE + ONE)))
