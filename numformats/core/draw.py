"""Variance-corrected draws: a grid value with a given mean and, where the grid allows, a given
variance, both exact but for rounding of probabilities and deviates in float32 (2^-22).

Serves uniform and non-uniform grids. Gaps are powers of two, kept as exponent fields of float64;
everything is in units of the gap in use, so that few operations are left and none divides by it.
Two laws for a magnitude a = (whole + part) gaps:

* wide (variance > D^2/4, D the largest gap within reach): y = part + sqrt(variance - D^2/4) * xi,
  then the three-point law around the nearest whole number with mean y and variance 1/4. The float
  grid contains every multiple of D within reach, so the result is representable and both moments
  are exact.
* narrow: stochastic rounding to the neighbours at a gap >= sqrt(variance), then a zero-mean
  three-point step that adds what variance is missing. Where stochastic rounding alone has more
  variance than asked, no unbiased law has less.

References: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), Algorithm 2 and Q^vc; docs/decisions
for the grids and for the arithmetic (0023).
"""

from typing import Any, NamedTuple

from numformats.core.deviate import deviate
from numformats.core.lane import (
    F32,
    F64,
    I64,
    U64,
    W32,
    Flag,
    Real,
    Word,
    bits_to_float,
    bits_to_real,
    floor_of,
    fused,
    maximum,
    minimum,
    real_to_bits,
    root,
    where,
)

Single = Real  #: float32
Field = Word  #: exponent field of a float64: the power of two with that exponent


class DrawGrid(NamedTuple):
    """A format as the draw sees it, in float64; gaps are at least 2^-1020."""

    man_bits: Any  #: int64, -1 for fixed point (constant gap)
    lowest: Any  #: smallest positive value, the gap below it
    least: Any  #: smallest gap: another where there are no subnormals
    largest: Any
    smallest: Any  #: most negative value
    sparse: Any  #: int64: whether the gap around zero is larger than that beside it


def field_of(a: Real) -> Field:
    """Exponent field of ``a`` >= 0."""
    return W32(U64(real_to_bits(a) >> U64(52)))


def power_of(field: Field) -> Real:
    """The power of two with this exponent field."""
    return bits_to_real(U64(U64(field) << U64(52)))


def inverse_of(field: Field) -> Real:
    """One over the power of two."""
    return power_of(W32(W32(2046) - field))


def ratio_of(field: Field, other: Field) -> Single:
    """One power of two over another, at most 2^126 apart."""
    return bits_to_float(W32(W32(W32(field - other) + W32(127)) << W32(23)))


def field_above(a: Real) -> Field:
    """Field of the smallest power of two >= ``a``, 0 for 0."""
    bits = real_to_bits(a)
    return W32(U64(U64(bits + U64(0x000FFFFFFFFFFFFF)) >> U64(52)))


def gap(a: Real, g: DrawGrid) -> Field:
    """Gap of the grid just above magnitude ``a``."""
    man = W32(maximum(g.man_bits, I64(0)))
    bottom = W32(field_of(g.least) + man)
    found = W32(maximum(field_of(a), bottom) - man)
    constant = (g.man_bits < I64(0)) | ((g.sparse > I64(0)) & (a < g.lowest))
    return where(constant, field_of(g.lowest), found)


def gap_beside(at: Real, near: Single, g: DrawGrid) -> Field:
    """Gap on the other side of the grid value ``at`` that a magnitude was rounded to: above where
    it was rounded up (``near`` is 1), below where it was not; at 0 that above it."""
    inward = (near < F32(0.5)) & (at > 0.0)
    return gap(bits_to_real(U64(real_to_bits(at) - where(inward, U64(1), U64(0)))), g)


def reach(mean: Real, sigma: Real) -> Real:
    """The farthest magnitude that a normal deviate can lead to: |xi| <= 6.34."""
    return where(mean < 0.0, 0.0 - mean, mean) + 6.34 * sigma


def reach_gap(a: Real, sigma: Real, g: DrawGrid) -> Field:
    """The largest gap that a draw from magnitude ``a`` can meet, plus one step of the three-point
    law; the one around zero, which may be larger than those beside it, where a draw can come that
    near."""
    far = a + 6.34 * sigma
    step = gap(far + power_of(gap(far, g)), g)
    wide = W32(step + where(g.man_bits == I64(0), W32(1), W32(0)))
    near = a - 6.34 * sigma - power_of(W32(wide + W32(1)))
    zero = where((g.sparse > I64(0)) & (near < g.lowest), field_of(g.lowest), W32(0))
    return maximum(wide, zero)


def widest(variance: Real) -> Field:
    """The largest gap that ``variance`` allows the wide law: D^2/4 is less."""
    field = W32(W32(field_above(variance) + W32(1024)) >> W32(1))
    return where(variance > 0.0, field, W32(0))


def narrowest(sigma: Real, g: DrawGrid) -> Field:
    """The gap that the narrow law needs at least: the power of two just above sigma."""
    return where(g.man_bits < I64(0), W32(0), field_above(sigma))


def unit(word: Word) -> Single:
    """A 32-bit word as a uniform in (0, 1]."""
    return fused(F32(word), F32(2.3283064365386963e-10), F32(1.1641532182693481e-10))


def three_point(above: Single, below: Single, up: Single, down: Single, u: Single) -> Single:
    """A step of ``above`` with probability ``up``, of ``-below`` with ``down``, or 0, decided by
    the uniform ``u``."""
    low = where(u < F32(up + down), F32(F32(0.0) - below), F32(0.0))
    return where(u < up, above, low)


def wide_step(part: Single, variance: Single, xi: Single, u: Single) -> Single:
    """The Gaussian law, in gaps."""
    left = F32(variance - F32(0.25))
    y = fused(F32(root(where(left > F32(0.0), left, F32(0.0)))), xi, part)
    n = F32(floor_of(F32(y + F32(0.5))))
    m = F32(y - n)
    to_up, to_down = F32(m + F32(0.5)), F32(m - F32(0.5))
    up, down = F32(F32(to_up * to_up) * F32(0.5)), F32(F32(to_down * to_down) * F32(0.5))
    return F32(n + three_point(F32(1.0), F32(1.0), up, down, u))


def forced_part(part: Single) -> Single:
    """Variance of stochastic rounding, in squared gaps."""
    return F32(F32(F32(1.0) - part) * part)


def portion(ratio: Single, sparse: Flag) -> Single:
    """``1 / (1 + ratio)``: neighbouring gaps are equal, or one is twice the other, but on sparse
    grids."""
    usual = where(ratio > F32(1.0), F32(0.3333333432674408), F32(0.5))
    usual = where(ratio < F32(1.0), F32(0.6666666865348816), usual)
    return where(sparse, F32(F32(1.0) / F32(F32(1.0) + ratio)), usual)


def narrow_step(
    near: Single, part: Single, variance: Single, beside: Field, used: Field, sparse: Flag,
    u: Single,
) -> Single:  # fmt: skip
    """``near`` (0 or 1), the rounded ``part``, topped up to ``variance``: a step back by the gap
    ``used``, or on by the gap ``beside``, in units of the former."""
    rest, ratio = F32(variance - forced_part(part)), ratio_of(beside, used)
    back = F32(where(rest > F32(0.0), rest, F32(0.0)) * portion(ratio, sparse))
    on, rounded_up = F32(back * ratio_of(used, beside)), near > F32(0.5)
    up, down = where(rounded_up, on, back), where(rounded_up, back, on)
    above, below = where(rounded_up, ratio, F32(1.0)), where(rounded_up, F32(1.0), ratio)
    return F32(near + three_point(above, below, up, down, u))


def draw(
    mean: Real, variance: Real, sigma: Real, w0: Word, w1: Word, g: DrawGrid
) -> tuple[Real, Flag]:
    """The draw before it is limited to the range, and whether the grid forces more variance on it
    than asked for; ``sigma`` is the root of ``variance``, and there are two random 32-bit words."""
    sign = U64(real_to_bits(mean) & U64(0x8000000000000000))
    a = bits_to_real(U64(real_to_bits(mean) ^ sign))
    far = reach_gap(a, sigma, g)
    is_wide = far <= widest(variance)
    least = narrowest(sigma, g)
    used = where(is_wide, far, maximum(gap(a, g), least))
    per = inverse_of(used)
    place, asked = a * per, variance * per * per
    whole = floor_of(place)
    part, v = F32(place - whole), F32(asked)
    near = where(unit(w0) < part, F32(1.0), F32(0.0))
    at = (whole + F64(near)) * power_of(used)
    beside = maximum(gap_beside(at, near, g), least)
    narrow = narrow_step(near, part, v, beside, used, g.sparse > I64(0), unit(w1))
    steps = where(is_wide, wide_step(part, v, deviate(w0), unit(w1)), narrow)
    moved = (whole + F64(steps)) * power_of(used)
    out = bits_to_real(U64(real_to_bits(moved) ^ sign)) + 0.0
    short = forced_part(part) > F32(v * F32(1.000001))
    return where(mean - mean == 0.0, out, mean), short


def limit(x: Real, low: Real, high: Real, nan: Real) -> Real:
    """``x`` limited to the range of a format; ``nan`` for NaN, which processors make in different
    ways."""
    return where(x == x, minimum(maximum(x, low), high), nan)


def outside(x: Real, low: Real, high: Real) -> Flag:
    """Whether ``x`` lies beyond the range of a format; NaN does not."""
    return (x < low) | (x > high)
