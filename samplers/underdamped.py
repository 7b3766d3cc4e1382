"""Underdamped Langevin dynamics: its constants, and the moments of one exact step."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

from numformats import UnderdampedMoments


class Dynamics(NamedTuple):
    """What an integrator reads: step η, friction γ, inverse mass u, and heat T/num_data, which
    multiplies every noise variance."""

    lr: float
    friction: float
    inverse_mass: float
    heat: float


def moments(d: Dynamics) -> UnderdampedMoments:
    """The moments of a step at the heat of ``d``."""
    m = _unit_moments(d.lr, d.friction, d.inverse_mass)
    return m._replace(var_v=d.heat * m.var_v, var_x=d.heat * m.var_x, cov=d.heat * m.cov)


@functools.lru_cache(maxsize=256)
def _unit_moments(lr: float, friction: float, inverse_mass: float) -> UnderdampedMoments:
    """The moments at heat 1, with h = γη and e = exp(-h).

        kick_v = (u/γ)(1-e)      kick_x = (u/γ²)(h + e - 1)
        var_v = u(1-e²)          var_x = (u/γ²)(2h + 4e - e² - 3)      cov = (u/γ)(1-e)²

    Promise: tolerance, a few ulp of float64 for every h > 0, small ones too.

    Reference: Wang, Chen, Song, Zhang, TMLR 2024 (arXiv 2310.16320), whose printed sign of
    ``kick_x`` is the other one; Cheng et al., COLT 2018.
    """
    h = friction * lr
    rest = -math.expm1(-h)
    return UnderdampedMoments(
        decay=math.exp(-h),
        drift=rest / friction,
        kick_v=inverse_mass * rest / friction,
        kick_x=inverse_mass / friction**2 * _lag(h),
        var_v=-inverse_mass * math.expm1(-2 * h),
        var_x=inverse_mass / friction**2 * _spread(h),
        cov=inverse_mass / friction * rest**2,
    )


def _lag(h: float) -> float:
    """h + exp(-h) - 1."""
    if h > 1:
        return h + math.expm1(-h)
    return math.fsum((-h) ** k / math.factorial(k) for k in range(2, 25))


def _spread(h: float) -> float:
    """2h + 4·exp(-h) - exp(-2h) - 3, of which only the third order is left for small h."""
    if h > 1:
        return math.fsum([2 * h, 4 * math.exp(-h), -math.exp(-2 * h), -3])
    return math.fsum((4 - 2**k) * (-h) ** k / math.factorial(k) for k in range(3, 40))
