"""One step of SGHMC on one tensor, as pure functions: integrators and accumulators."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

import numformats as nf
from numformats import UnderdampedMoments
from numformats.langevin_tasks import NOISE, WEIGHT
from numformats.underdamped_tasks import LEAST_VARIANCE, VELOCITY, VELOCITY_NOISE
from samplers.forced import forced_variance
from samplers.precision import Precision, resolve, saturated
from samplers.steps import Draw, diffuse, normals, quantize
from samplers.underdamped import Dynamics, moments
from samplers.velocity import Velocity, draw_velocity, round_velocity


def exponential(
    theta: torch.Tensor,
    velocity: torch.Tensor,
    slope: torch.Tensor,
    d: Dynamics,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    """The exact step with the gradient held fixed: see ``samplers.underdamped.Moments``.

    Args:
        theta: the accumulator, float32 or float64, any shape.
        velocity: same shape.
        slope: Q_G(∇loss) + wd·θ, same shape.
        d: constants of the dynamics.
        precision: formats, rounding and accumulator.
        key: of this parameter and step.

    Returns:
        New tensors; ``carried`` holds ``velocity`` and ``velocity_scale``. Promise: a function of
        its arguments alone.

    Reference: Wang, Chen, Song, Zhang, TMLR 2024 (arXiv 2310.16320), with the corrected sign.
    """
    m = moments(d)
    mean_v = (velocity * m.decay).add(slope, alpha=-m.kick_v)
    mean_x = theta.add(velocity, alpha=m.drift).add(slope, alpha=-m.kick_x)
    return _ACCUMULATORS[precision.accumulator](mean_x, mean_v, m, precision, key)


def baoab(
    theta: torch.Tensor,
    velocity: torch.Tensor,
    slope: torch.Tensor,
    d: Dynamics,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    """B A O A, where the kick B joins the two half kicks around a gradient: the positions of BAOAB.

    Arguments and result as `exponential`. On a quadratic the variance of θ is exact for every
    stable step.

    Reference: Leimkuhler and Matthews, Applied Mathematics Research eXpress, 2013.
    """
    kicked = velocity.add(slope, alpha=-d.lr * d.inverse_mass)
    halfway = theta.add(kicked, alpha=d.lr / 2)
    noise = d.inverse_mass * d.heat * -math.expm1(-2 * d.friction * d.lr)
    thermal = diffuse(kicked * math.exp(-d.friction * d.lr), noise, key.fold(NOISE))
    return _seen(halfway.add(thermal, alpha=d.lr / 2), thermal, precision, key)


def euler(
    theta: torch.Tensor,
    velocity: torch.Tensor,
    slope: torch.Tensor,
    d: Dynamics,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    """Symplectic Euler: v ← (1 - γη)·v - ηu·g + √(2γuηT/N)·ξ, then θ ← θ + η·v.

    Arguments and result as `exponential`. SGD with momentum 1 - γη and step size η²u, and noise.

    Reference: Chen, Fox, Guestrin, ICML 2014.
    """
    noise = 2 * d.friction * d.inverse_mass * d.lr * d.heat
    mean = (velocity * (1 - d.friction * d.lr)).add(slope, alpha=-d.lr * d.inverse_mass)
    moved = diffuse(mean, noise, key.fold(NOISE))
    return _seen(theta.add(moved, alpha=d.lr), moved, precision, key)


INTEGRATORS: dict[str, Callable[..., Draw]] = {
    "exponential": exponential,
    "baoab": baoab,
    "euler": euler,
}


def _seen(theta: torch.Tensor, velocity: torch.Tensor, precision: Precision, key: nf.Key) -> Draw:
    carried = {"velocity": velocity, "velocity_scale": 1.0}
    if precision.weight is None:
        return Draw(theta, theta, carried=carried)
    seen = quantize(theta, precision.weight, precision.rounding, key.fold(WEIGHT))
    return Draw(theta, seen, saturated=saturated(theta, precision.weight), carried=carried)


def _diffused(
    mean_x: torch.Tensor, mean_v: torch.Tensor, m: UnderdampedMoments, key: nf.Key
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both means plus Gaussian noise with the covariances of the step."""
    if m.var_x == 0:
        return mean_x, mean_v
    shared, own = normals(mean_x, key.fold(NOISE)), normals(mean_v, key.fold(VELOCITY_NOISE))
    std_x, rest = math.sqrt(m.var_x), math.sqrt(m.var_v - m.cov**2 / m.var_x)
    v = mean_v.add(shared, alpha=m.cov / std_x).add(own, alpha=rest)
    return mean_x.add(shared, alpha=std_x), v


def _full(
    mean_x: torch.Tensor,
    mean_v: torch.Tensor,
    m: UnderdampedMoments,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    return _seen(*_diffused(mean_x, mean_v, m, key), precision, key)


def _low(
    mean_x: torch.Tensor,
    mean_v: torch.Tensor,
    m: UnderdampedMoments,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    x, v = _diffused(mean_x, mean_v, m, key)
    stored = quantize(x, precision.weight, precision.rounding, key.fold(WEIGHT))
    rounded = round_velocity(v, precision, key.fold(VELOCITY))
    return _drawn(stored, 0, saturated(x, precision.weight), rounded)


def _variance_corrected(
    mean_x: torch.Tensor,
    mean_v: torch.Tensor,
    m: UnderdampedMoments,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    """x' ← Q^vc(m_x, V_x), then v' ← Q^vc(m_v + b·n, V_v - b·C), n = x' - m_x, b = C/Var(n).

    Var(n) is V_x, or what the grid forces where that is more: with it b·n keeps the covariance C
    and the variance V_v also where the weight's draw falls short (docs/decisions/0013). Where both
    are below LEAST_VARIANCE, n says next to nothing of v, and that much less of C is kept.
    """
    fmt = resolve(precision.weight, tuple(mean_x.shape))
    drawn, counts = nf.variance_corrected(
        mean_x, m.var_x, fmt, key=key.fold(WEIGHT), return_counts=True
    )
    actual = forced_variance(mean_x, m.var_x, fmt).clamp_(min=max(m.var_x, LEAST_VARIANCE))
    share = torch.where(actual > 0, m.cov / actual, 0.0)  # NaN of a mean counts as 0
    mean = mean_v.addcmul(share, drawn - mean_x)
    left = torch.rsub(share, m.var_v, alpha=m.cov).clamp_(min=0)
    velocity = draw_velocity(mean, left, precision, key.fold(VELOCITY))
    return _drawn(drawn, counts.deficit, counts.saturated, velocity)


def _drawn(
    stored: torch.Tensor,
    deficit: int | torch.Tensor,
    beyond: int | torch.Tensor,
    velocity: Velocity,
) -> Draw:
    return Draw(
        stored,
        stored,
        deficit + velocity.deficit,
        beyond + velocity.saturated,
        {"velocity": velocity.value, "velocity_scale": velocity.scale},
        values=2,
    )


_ACCUMULATORS: dict[str, Callable[..., Draw]] = {
    "full": _full,
    "low": _low,
    "variance_corrected": _variance_corrected,
}
