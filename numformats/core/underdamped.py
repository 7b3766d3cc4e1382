"""One step of underdamped Langevin dynamics on one element, in float32 with fused multiply-adds, as
torch adds a scaled tensor.

Reference: Wang, Chen, Song, Zhang, TMLR 2024 (arXiv 2310.16320), with the sign of the gradient in
the position corrected; docs/decisions/0013 for the corrected draws.
"""

from typing import Any, NamedTuple

from numformats.core.draw import field_above, power_of, reach
from numformats.core.lane import F32, F64, Real, floor_of, fused, maximum, minimum, root, where

Single = Real  #: float32


class StepScalars(NamedTuple):
    """The constants of a step, in float32; the kicks come negated."""

    decay: Any
    drift: Any
    kick_v: Any
    kick_x: Any
    std_x: Any  #: of the position's noise
    shared: Any  #: what a unit of the position's normal adds to the velocity
    own: Any  #: standard deviation of the velocity's noise given the position's
    var_x: Any
    var_v: Any
    cov: Any
    rest: Any  #: the covariance, negated
    per_gap: Any  #: of a fixed-point grid: gaps in a unit
    gap_area: Any  #: its gap squared


def kicked(velocity: Single, slope: Single, decay: Single, kick: Single) -> Single:
    """``decay * velocity + kick * slope``: the mean of the velocity."""
    return fused(slope, kick, F32(velocity * decay))


def carried(theta: Single, velocity: Single, slope: Single, drift: Single, kick: Single) -> Single:
    """``theta + drift * velocity + kick * slope``: the mean of the position."""
    return fused(slope, kick, fused(velocity, drift, theta))


def forced_in_gap(x: Single, per_gap: Single, gap_area: Single) -> Single:
    """Variance of rounding ``x`` to its two neighbours on a grid of one gap."""
    place = F32(x * per_gap)
    part = F32(place - F32(floor_of(place)))
    return F32(F32(F32(F32(1.0) - part) * part) * gap_area)


def forced_between(x: Single, below: Single, above: Single) -> Single:
    """Variance of rounding ``x`` to these neighbours."""
    return F32(F32(x - below) * F32(above - x))


def share_of(forced: Single, var_x: Single, cov: Single) -> Single:
    """Regression of the velocity on the position's noise, whose variance is ``var_x`` or, where
    that is more, what the grid forces."""
    actual = where(forced < var_x, var_x, forced)
    return where(actual > F32(0.0), F32(F32(F32(1.0) / actual) * cov), F32(0.0))


def left_over(share: Single, rest: Single, var_v: Single) -> Single:
    """Variance of the velocity given the position's noise."""
    found = fused(share, rest, var_v)
    return where(found < F32(0.0), F32(0.0), found)


def velocity_scale(top: Single, widest: Single, largest: Real, least: Real) -> Real:
    """The smallest power of two S, ``least`` <= S <= 1, with every draw of a mean up to ``top`` and
    a variance up to ``widest`` within S * ``largest``; 1 where there is nothing to scale."""
    far = reach(F64(top), root(F64(widest)))
    fits = minimum(maximum(power_of(field_above(far / largest)), least), 1.0)
    return where(far > 0.0, fits, 1.0)


def in_units(x: Single, scale: Single) -> Single:
    """``x`` in units of a power of two."""
    return F32(x / scale)


def from_units(x: Single, scale: Single) -> Single:
    """The value of ``x`` units."""
    return F32(x * scale)


def spread_in_units(variance: Single, scale: Single) -> Single:
    """A variance in units of a power of two."""
    return F32(F32(variance / scale) / scale)
