"""One step of SGLD on one tensor, as pure functions: drift, noise and the three accumulators."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

import numformats as nf
from numformats.langevin_tasks import GRADIENT, NOISE, WEIGHT, one_pass
from samplers.precision import PerChannel, Precision, resolve, saturated


class Draw(NamedTuple):
    """Outcome of a step on one tensor.

    ``stored`` is the accumulator, ``seen`` what forward and backward use; ``deficit`` counts the
    elements whose variance the grid could not meet, ``saturated`` those beyond the range.
    """

    stored: torch.Tensor
    seen: torch.Tensor
    deficit: int = 0
    saturated: int = 0


def step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    *,
    lr: float,
    weight_decay: float,
    variance: float,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    """θ ← Q(θ - lr·(Q_G(∇loss) + wd·θ), variance 2·lr·T/N), with Q by the accumulator.

    Args:
        theta: the accumulator, float32 or float64, any shape.
        grad: gradient of the mean loss, same shape.
        lr: step size.
        weight_decay: wd.
        variance: of the injected noise, 2·lr·T/num_data.
        precision: formats, rounding and accumulator.
        key: of this parameter and step; folded once more for each purpose.

    Returns:
        New tensors. Promise: a function of its arguments alone, the same for any thread count; with
        variance 0 and full precision the bits of ``torch.optim.SGD``.

    Reference: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), Algorithms 1 and 2.
    """
    if fusible(theta, precision):
        done = nf.langevin_step(
            theta,
            grad.to(theta.dtype),
            lr=lr,
            variance=variance,
            key=key,
            weight_decay=weight_decay,
            gradient=precision.gradient,
            weight=precision.weight,
            accumulator=precision.accumulator,
            rounding=precision.rounding,
        )
        return Draw(_tensor(done.stored), _tensor(done.seen), done.deficit, done.saturated)
    mean = drift(
        theta, grad, lr=lr, weight_decay=weight_decay, precision=precision, key=key.fold(GRADIENT)
    )
    return _ACCUMULATORS[precision.accumulator](mean, variance, precision, key)


@functools.cache
def torch_fuses(device: torch.device) -> bool:
    """Whether torch rounds ``x.add(y, alpha=a)`` once, as ``numformats.langevin_step`` does."""
    x = torch.full((71,), 1 + 2**-12, device=device)
    return bool((torch.full_like(x, -1 - 2**-11).add(x, alpha=1 + 2**-12) == 2**-24).all())


def fusible(theta: torch.Tensor, precision: Precision) -> bool:
    """Whether one pass over memory gives the bits of the composition."""
    formats = (f for f in (precision.weight, precision.gradient) if f is not None)
    plain = all(not isinstance(f, PerChannel) and one_pass(f) for f in formats)
    return theta.dtype == torch.float32 and plain and torch_fuses(theta.device)


def drift(
    theta: torch.Tensor,
    grad: torch.Tensor,
    *,
    lr: float,
    weight_decay: float,
    precision: Precision,
    key: nf.Key,
) -> torch.Tensor:
    """θ - lr·(Q_G(∇loss) + wd·θ), in the operations and the order of ``torch.optim.SGD``."""
    descent = grad.to(theta.dtype)
    if precision.gradient is not None:
        descent = quantize(descent, precision.gradient, precision.rounding, key)
    if weight_decay != 0:
        descent = descent.add(theta, alpha=weight_decay)
    return theta.add(descent, alpha=-lr)


def diffuse(mean: torch.Tensor, variance: float, key: nf.Key) -> torch.Tensor:
    """Mean + √variance·ξ with ξ standard normal; no draw at all where the variance is 0."""
    if variance == 0:
        return mean
    dtype = torch.empty((), dtype=mean.dtype).numpy().dtype
    noise = torch.from_numpy(nf.random.normal(tuple(mean.shape), key, dtype=dtype))
    return mean.add(noise.to(mean.device), alpha=math.sqrt(variance))


def quantize(x: torch.Tensor, fmt: Any, rounding: str, key: nf.Key) -> torch.Tensor:
    """``numformats.quantize`` with a format that may depend on the shape."""
    target = resolve(fmt, tuple(x.shape))
    needed = key if nf.roundings()[rounding].stochastic else None
    return _tensor(nf.quantize(x, target, rounding, key=needed))


def _full(mean: torch.Tensor, variance: float, precision: Precision, key: nf.Key) -> Draw:
    theta = diffuse(mean, variance, key.fold(NOISE))
    if precision.weight is None:
        return Draw(theta, theta)
    seen = quantize(theta, precision.weight, precision.rounding, key.fold(WEIGHT))
    return Draw(theta, seen, saturated=saturated(theta, precision.weight))


def _low(mean: torch.Tensor, variance: float, precision: Precision, key: nf.Key) -> Draw:
    exact = diffuse(mean, variance, key.fold(NOISE))
    theta = quantize(exact, precision.weight, precision.rounding, key.fold(WEIGHT))
    return Draw(theta, theta, saturated=saturated(exact, precision.weight))


def _variance_corrected(
    mean: torch.Tensor, variance: float, precision: Precision, key: nf.Key
) -> Draw:
    fmt = resolve(precision.weight, tuple(mean.shape))
    drawn, counts = nf.variance_corrected(
        mean, variance, fmt, key=key.fold(WEIGHT), return_counts=True
    )
    theta = _tensor(drawn)
    return Draw(theta, theta, int(counts.deficit), int(counts.saturated))


_ACCUMULATORS: dict[str, Callable[[torch.Tensor, float, Precision, nf.Key], Draw]] = {
    "full": _full,
    "low": _low,
    "variance_corrected": _variance_corrected,
}


def _tensor(x: object) -> torch.Tensor:
    assert isinstance(x, torch.Tensor)  # numformats gives back the type that came
    return x
