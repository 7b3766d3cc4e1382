"""Variance-corrected draws: a grid value with exactly a given mean and, where the grid allows, a
given variance.

Works on float64 values and serves uniform and non-uniform grids. Two laws:

* wide (variance > D^2/4, D the largest gap within reach): x = mean + sqrt(variance - D^2/4) * xi,
  then the three-point law around the nearest multiple of D with mean x and variance D^2/4. The
  float grid contains every multiple of D within reach, so the result is representable and both
  moments are exact.
* narrow: stochastic rounding to the neighbours at a gap >= sqrt(variance), then a zero-mean
  three-point step that adds what variance is missing. Where stochastic rounding alone has more
  variance than asked, no unbiased law has less.

References: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), Algorithm 2 and Q^vc;
docs/decisions for the grids.
"""

from typing import Any, NamedTuple

from numformats.core.lane import (
    F64,
    I64,
    U64,
    Real,
    Word,
    bits_to_real,
    floor_of,
    maximum,
    minimum,
    real_to_bits,
    root,
    where,
)
from numformats.core.normal import normal


class DrawGrid(NamedTuple):
    """A format as the draw sees it, in float64."""

    man_bits: Any  #: int64, -1 for fixed point (constant gap)
    lowest: Any  #: smallest positive value, the gap below it
    least: Any  #: smallest gap: another where there are no subnormals
    largest: Any
    smallest: Any  #: most negative value


def power_below(a: Real) -> Real:
    """Largest power of two <= ``a`` (normal float64), 0 for 0."""
    return bits_to_real(U64(real_to_bits(a) & U64(0x7FF0000000000000)))


def gap(a: Real, g: DrawGrid) -> Real:
    """Gap of the grid just above magnitude ``a``."""
    down = bits_to_real(U64(U64(I64(I64(1023) - maximum(g.man_bits, I64(0)))) << U64(52)))
    floor = where(a < g.lowest, g.lowest, g.least)
    return where(g.man_bits < I64(0), g.lowest, maximum(power_below(a) * down, floor))


def gap_below(a: Real, g: DrawGrid) -> Real:
    """Gap of the grid just below magnitude ``a`` > 0; at 0 that above it."""
    bits = real_to_bits(a)
    return gap(bits_to_real(U64(bits - where(a > 0.0, U64(1), U64(0)))), g)


def unit(word: Word) -> Real:
    """A 32-bit word as a uniform in (0, 1)."""
    return (F64(word) + 0.5) * 2.3283064365386963e-10


def reach(mean: Real, sigma: Real) -> Real:
    """The farthest magnitude that a normal deviate can lead to: |xi| <= 6.34."""
    return where(mean < 0.0, 0.0 - mean, mean) + 6.34 * sigma


def reach_gap(mean: Real, sigma: Real, g: DrawGrid) -> Real:
    """The largest gap that a draw can meet, plus one step of the three-point law; the one around
    zero, which may be larger than those beside it, where a draw can come that near."""
    far = reach(mean, sigma)
    one = gap(far, g)
    step = gap(far + one, g)
    wide = where(g.man_bits == I64(0), step + step, step)
    near = where(mean < 0.0, 0.0 - mean, mean) - 6.34 * sigma - (wide + wide)
    return where(near < g.lowest, maximum(wide, g.lowest), wide)


def three_point(below: Real, above: Real, m: Real, v: Real, u: Real) -> Real:
    """A step of ``above``, ``-below`` or 0 with mean ``m`` and variance ``v``, decided by the
    uniform ``u``."""
    up = (v + m * m + m * below) / (above * (above + below))
    down = (v + m * m - m * above) / (below * (above + below))
    return where(u < up, above, where(u < up + down, 0.0 - below, 0.0))


def wide_draw(mean: Real, spread: Real, d: Real, xi: Real, u: Real) -> Real:
    """The Gaussian law on multiples of ``d``; ``spread`` is the variance left to the Gaussian."""
    x = mean + root(spread) * xi
    n = floor_of(x / d + 0.5)
    m = x - n * d
    return n * d + three_point(d, d, m, d * d * 0.25, u)


def power_above(a: Real) -> Real:
    """Smallest power of two >= ``a``, 0 for 0."""
    low = power_below(a)
    return where(low < a, low + low, low)


def narrow_gap(mean: Real, sigma: Real, g: DrawGrid) -> Real:
    """Gap for stochastic rounding: the grid's, or the power of two just above sigma if that is
    larger."""
    return maximum(gap(where(mean < 0.0, 0.0 - mean, mean), g), power_above(sigma))


def narrow_draw(mean: Real, variance: Real, sigma: Real, g: DrawGrid, u0: Real, u1: Real) -> Real:
    """Stochastic rounding, topped up to ``variance``."""
    a = where(mean < 0.0, 0.0 - mean, mean)
    d = narrow_gap(mean, sigma, g)
    low = floor_of(a / d) * d
    part = (a - low) / d
    q = low + where(u0 < part, d, 0.0)
    rest = maximum(variance - part * (1.0 - part) * d * d, 0.0)
    lattice = maximum(g.least, power_above(sigma))
    above = maximum(gap(q, g), lattice)
    below = maximum(gap_below(q, g), lattice)
    moved = q + three_point(below, above, 0.0, rest, u1)
    return where(mean < 0.0, 0.0 - moved, moved)


def missing(mean: Real, variance: Real, g: DrawGrid) -> Real:
    """Variance that the grid forces beyond the one asked for; 0 where the draw is exact."""
    sigma = root(variance)
    a = where(mean < 0.0, 0.0 - mean, mean)
    widest = reach_gap(mean, sigma, g)
    d = narrow_gap(mean, sigma, g)
    part = a / d - floor_of(a / d)
    forced = part * (1.0 - part) * d * d
    return where(
        variance > widest * widest * 0.25, 0.0, maximum(forced - variance * 1.000000001, 0.0)
    )


def draw(mean: Real, variance: Real, w0: Word, w1: Word, g: DrawGrid) -> Real:
    """The draw before it is limited to the range; two random 32-bit words."""
    sigma = root(variance)
    d = reach_gap(mean, sigma, g)
    v0 = d * d * 0.25
    wide = wide_draw(mean, maximum(variance - v0, 0.0), d, normal(w0), unit(w1))
    narrow = narrow_draw(mean, variance, sigma, g, unit(w0), unit(w1))
    out = where(variance > v0, wide, narrow)
    return where(mean == mean, out, mean)


def limit(x: Real, g: DrawGrid) -> Real:
    """``x`` limited to the range of the grid; NaN is the one that all processors make alike."""
    inside = minimum(maximum(x, g.smallest), g.largest)
    return where(x == x, inside, bits_to_real(U64(0x7FF8000000000000)))
