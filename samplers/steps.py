"""One step of SGLD on one tensor, and its parts: descent, noise and the three accumulators."""

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
    elements whose variance the grid could not meet, ``saturated`` those beyond the range, both for
    CUDA tensors 0-d tensors there, so that nothing waits;
    ``carried`` is the rest of the sampler's state; ``values`` tells how many values were drawn for
    each weight.
    """

    stored: torch.Tensor
    seen: torch.Tensor
    deficit: int | torch.Tensor = 0
    saturated: int | torch.Tensor = 0
    carried: dict[str, Any] | None = None
    values: int = 1


def step(
    theta: torch.Tensor,
    grad: torch.Tensor,
    *,
    lr: float,
    weight_decay: float,
    variance: float,
    precision: Precision,
    key: nf.Key,
    pull: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
) -> Draw:
    """θ ← Q(θ - lr·(Q_G(∇loss) + wd·θ + pull), variance 2·lr·T/N), with Q by the accumulator.

    Args:
        theta: the accumulator, float32 or float64, any shape.
        grad: gradient of the mean loss, same shape.
        lr: step size.
        weight_decay: wd.
        variance: of the injected noise, 2·lr·T/num_data.
        precision: formats, rounding and accumulator.
        key: of this parameter and step; folded once more for each purpose.
        pull: gradient of -log p(θ)/num_data, None for a flat or Gaussian prior.
        weight: what forward and backward use, like ``theta`` or the same memory: a step in one pass
            writes here, and its accumulator into ``theta``.

    Returns:
        New tensors, or those that were written to. Promise: a function of its arguments alone, the
        same for any thread count; with variance 0 and full precision the bits of
        ``torch.optim.SGD``.

    Reference: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), Algorithms 1 and 2.
    """
    if pull is None and fusible(theta, precision):
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
            inplace=weight is not None,
            out=weight if kept_apart(precision) else None,
        )
        return Draw(_tensor(done.stored), _tensor(done.seen), done.deficit, done.saturated)
    slope = descent(theta, gradient(theta, grad, precision, key), weight_decay, pull)
    return accumulate(theta.add(slope, alpha=-lr), variance, precision, key)


def kept_apart(precision: Precision) -> bool:
    """Whether the weight is another tensor than its accumulator."""
    return precision.accumulator == "full" and precision.weight is not None


@functools.cache
def torch_fuses(device: torch.device) -> bool:
    """Whether torch rounds ``x.add(y, alpha=a)`` once, as ``numformats.langevin_step`` does."""
    x = torch.full((71,), 1 + 2**-12, dtype=torch.float32, device=device)
    return bool((torch.full_like(x, -1 - 2**-11).add(x, alpha=1 + 2**-12) == 2**-24).all())


def fusible(theta: torch.Tensor, precision: Precision) -> bool:
    """Whether one pass over memory gives the bits of the composition."""
    formats = (f for f in (precision.weight, precision.gradient) if f is not None)
    plain = all(not isinstance(f, PerChannel) and one_pass(f) for f in formats)
    return theta.dtype == torch.float32 and plain and torch_fuses(theta.device)


def gradient(
    theta: torch.Tensor, grad: torch.Tensor, precision: Precision, key: nf.Key
) -> torch.Tensor:
    """Q_G(∇loss) in the dtype of the accumulator."""
    found = grad.to(theta.dtype)
    if precision.gradient is None:
        return found
    return quantize(found, precision.gradient, precision.rounding, key.fold(GRADIENT))


def descent(
    theta: torch.Tensor, grad: torch.Tensor, weight_decay: float, pull: torch.Tensor | None = None
) -> torch.Tensor:
    """``grad`` + wd·θ + pull, in the operations and the order of ``torch.optim.SGD``."""
    found = grad if weight_decay == 0 else grad.add(theta, alpha=weight_decay)
    return found if pull is None else found.add(pull)


def accumulate(
    mean: torch.Tensor, variance: float | torch.Tensor, precision: Precision, key: nf.Key
) -> Draw:
    """The accumulator's draw with mean ``mean`` and variance ``variance``, a number or a tensor."""
    return _ACCUMULATORS[precision.accumulator](mean, variance, precision, key)


def diffuse(mean: torch.Tensor, variance: float | torch.Tensor, key: nf.Key) -> torch.Tensor:
    """Mean + √variance·ξ with ξ standard normal; no draw at all where the variance is 0."""
    if isinstance(variance, torch.Tensor):
        return mean.addcmul(variance.sqrt(), normals(mean, key))
    return mean if variance == 0 else mean.add(normals(mean, key), alpha=math.sqrt(variance))


def normals(like: torch.Tensor, key: nf.Key) -> torch.Tensor:
    """Standard normals of the shape, dtype and device of ``like``."""
    dtype = torch.empty((), dtype=like.dtype).numpy().dtype
    return _tensor(nf.random.normal(tuple(like.shape), key, dtype=dtype, like=like))


def quantize(x: torch.Tensor, fmt: Any, rounding: str, key: nf.Key) -> torch.Tensor:
    """``numformats.quantize`` with a format that may depend on the shape."""
    target = resolve(fmt, tuple(x.shape))
    needed = key if nf.roundings()[rounding].stochastic else None
    return _tensor(nf.quantize(x, target, rounding, key=needed))


def _full(
    mean: torch.Tensor, variance: float | torch.Tensor, precision: Precision, key: nf.Key
) -> Draw:
    theta = diffuse(mean, variance, key.fold(NOISE))
    if precision.weight is None:
        return Draw(theta, theta)
    seen = quantize(theta, precision.weight, precision.rounding, key.fold(WEIGHT))
    return Draw(theta, seen, saturated=saturated(theta, precision.weight))


def _low(
    mean: torch.Tensor, variance: float | torch.Tensor, precision: Precision, key: nf.Key
) -> Draw:
    exact = diffuse(mean, variance, key.fold(NOISE))
    theta = quantize(exact, precision.weight, precision.rounding, key.fold(WEIGHT))
    return Draw(theta, theta, saturated=saturated(exact, precision.weight))


def _variance_corrected(
    mean: torch.Tensor, variance: float | torch.Tensor, precision: Precision, key: nf.Key
) -> Draw:
    fmt = resolve(precision.weight, tuple(mean.shape))
    drawn, counts = nf.variance_corrected(
        mean, variance, fmt, key=key.fold(WEIGHT), return_counts=True
    )
    theta = _tensor(drawn)
    return Draw(theta, theta, counts.deficit, counts.saturated)


_ACCUMULATORS: dict[str, Callable[..., Draw]] = {
    "full": _full,
    "low": _low,
    "variance_corrected": _variance_corrected,
}


def _tensor(x: object) -> torch.Tensor:
    assert isinstance(x, torch.Tensor)  # numformats gives back the type that came
    return x
