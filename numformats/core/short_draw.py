"""The draws of ``core/draw.py`` in float32: float32 means, and grids and variances far from the
ends of float32's range.

The same two laws on the same grid, with exponents of gaps as signed exponent fields of float32. A
draw is that of the float64 form but where |mean| + 6.34 sigma, rounded to float32, comes within a
gap of a power of two that it keeps farther from: then the law takes the larger gap, as right
(docs/decisions/0027).
"""

from typing import Any, NamedTuple

from numformats.core.deviate import deviate
from numformats.core.draw import (
    Single,
    forced_part,
    narrow_step,
    unit,
    wide_step,
)
from numformats.core.lane import (
    F32,
    MAGNITUDE,
    W32,
    Flag,
    I,
    Int,
    Real,
    U,
    Word,
    bits_to_float,
    float_to_bits,
    floor_of,
    maximum,
    root,
    shl,
    where,
)


class ShortDraw(NamedTuple):
    """A format, and a variance, as draws in float32 see them; exponents are fields of float32, and
    may be negative."""

    man_bits: Any  #: int32, -1 for fixed point (constant gap)
    bottom: Any  #: exponent of the smallest binade with a gap of its own
    around: Any  #: exponent of the gap around zero; of every gap in fixed point
    sparse: Any  #: int32: whether the gap around zero is larger than that beside it
    lowest: Any  #: smallest positive value
    largest: Any
    smallest: Any  #: most negative value
    limit: Any  #: where there is less than two trailing bits: a magnitude beyond it
    ceiling: Any  #: counts as this; no draw comes back from there
    variance: Any
    reach: Any  #: how far a normal deviate can lead, rounded up: 6.34 standard deviations
    widest: Any  #: exponent of the largest gap that the variance allows the wide law
    least: Any  #: exponent of the gap that the narrow law needs at least


class OwnDraws(NamedTuple):
    """A format as draws see it whose variances are those of elements, and the variances (float32)
    that are drawn in float32."""

    unit: Any  #: ``ShortDraw`` of no variance
    nothing: Any  #: 0, or less where no variance at all is too little
    low: Any
    high: Any


class Place(NamedTuple):
    """A magnitude as (whole + part) gaps."""

    wide: Any  #: whether the wide law holds
    used: Any  #: exponent of the gap
    whole: Any
    part: Any
    variance: Any  #: in squared gaps


def exponent_at(a: Single) -> Int:
    """Exponent field of ``a`` >= 0."""
    return I(U(float_to_bits(a) >> U(23)))


def two_to(field: Int) -> Single:
    """The power of two with this exponent field."""
    return bits_to_float(U(U(field) << U(23)))


def short_variance(variance: Real) -> Single:
    """``variance`` >= 0 in float32, positive where it is."""
    found = F32(variance)
    return where((found == F32(0.0)) & (variance > F32(0.0)), bits_to_float(U(1)), found)


def is_short(variance: Single, nothing: Single, low: Single, high: Single) -> Flag:
    """Whether draws of this variance take float32: see ``OwnDraws``."""
    return ((variance >= low) & (variance <= high)) | (variance == nothing)


def with_variance(variance: Single, g: ShortDraw) -> ShortDraw:
    """``g`` with this variance, 0 or normal: ``draw.reach``, ``draw.widest`` and
    ``draw.narrowest``, of which the last two are the same power of two."""
    above = I(U(float_to_bits(variance) + U(0x7FFFFF)) >> U(23))
    power = where(variance > F32(0.0), I(I(above + I(128)) >> I(1)), I(-896))
    reach = F32(F32(root(variance)) * F32(6.340001583099365))  # not less than 6.34 sigma
    return ShortDraw(
        g.man_bits, g.bottom, g.around, g.sparse, g.lowest, g.largest, g.smallest, g.limit,
        g.ceiling, variance, reach, power, where(g.man_bits < I(0), I(-896), power),
    )  # fmt: skip


def gap_above(a: Single, g: ShortDraw) -> Int:
    """Gap of the grid just above magnitude ``a``."""
    found = I(maximum(exponent_at(a), g.bottom) - g.man_bits)
    constant = (g.man_bits < I(0)) | ((g.sparse > I(0)) & (a < g.lowest))
    return where(constant, g.around, found)


def gap_onward(at: Single, near: Single, g: ShortDraw) -> Int:
    """As ``draw.gap_beside``."""
    inward = (near < F32(0.5)) & (at > F32(0.0))
    return gap_above(bits_to_float(U(float_to_bits(at) - where(inward, U(1), U(0)))), g)


def gap_in_reach(a: Single, g: ShortDraw) -> Int:
    """As ``draw.reach_gap``: the gap one step beyond the reach, which the bits of its float say."""
    step = shl(U(1), U(I(23) - g.man_bits))
    further = bits_to_float(U(float_to_bits(F32(a + g.reach)) + step))
    wide = gap_above(further, g)
    near = F32(F32(a - g.reach) - two_to(I(wide + I(1))))
    around = (g.sparse > I(0)) & (near < g.lowest)
    return where(around, maximum(wide, g.around), wide)


def placed_in_gaps(mean: Single, g: ShortDraw) -> Place:
    """Where the magnitude of ``mean`` lies, in gaps of the law that holds there."""
    size = bits_to_float(U(float_to_bits(mean) & MAGNITUDE))
    far_off = (g.man_bits < I(2)) & (size > g.limit)
    a = where(far_off, g.ceiling, size)
    far = gap_in_reach(a, g)
    wide = far <= g.widest
    used = where(wide, far, maximum(gap_above(a, g), g.least))
    per = two_to(I(I(254) - used))
    place = F32(a * per)
    whole = F32(floor_of(place))
    part = F32(place - whole)
    return Place(wide, used, whole, part, F32(F32(g.variance * per) * per))


def wide_gaps(p: Place, w0: Word, w1: Word) -> Single:
    """The magnitude that the Gaussian law leads to, in gaps."""
    return F32(p.whole + wide_step(p.part, p.variance, deviate(w0), unit(w1)))


def narrow_gaps(p: Place, w0: Word, w1: Word, g: ShortDraw) -> Single:
    """The magnitude that stochastic rounding and its step lead to, in gaps."""
    near = where(unit(w0) < p.part, F32(1.0), F32(0.0))
    at = F32(F32(p.whole + near) * two_to(p.used))
    beside, sparse = W32(maximum(gap_onward(at, near, g), g.least)), g.sparse > I(0)
    step = narrow_step(near, p.part, p.variance, beside, W32(p.used), sparse, unit(w1))
    return F32(p.whole + step)


def either_gaps(p: Place, w0: Word, w1: Word, g: ShortDraw) -> Single:
    """The magnitude that the law of the place leads to, in gaps."""
    return where(p.wide, wide_gaps(p, w0, w1), narrow_gaps(p, w0, w1, g))


def forces_more(p: Place) -> Flag:
    """Whether the grid forces more variance on a draw than asked for."""
    return forced_part(p.part) > F32(p.variance * F32(1.000001))


def landed(mean: Single, p: Place, gaps: Single) -> Single:
    """The draw before it is limited to the range; NaN of NaN."""
    sign = U(float_to_bits(mean) ^ U(float_to_bits(mean) & MAGNITUDE))
    moved = F32(gaps * two_to(p.used))
    return F32(bits_to_float(U(float_to_bits(moved) ^ sign)) + F32(0.0))


def short_draw(mean: Single, w0: Word, w1: Word, g: ShortDraw) -> tuple[Single, Flag]:
    """As ``draw.draw``: the draw before it is limited to the range, and whether the grid forces
    more variance on it than asked for."""
    p = placed_in_gaps(mean, g)
    return landed(mean, p, either_gaps(p, w0, w1, g)), forces_more(p)
