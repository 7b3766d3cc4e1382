"""Normalisations of which every step is rounded: what ``mx.LayerNorm``, ``mx.BatchNorm2d`` and
their kin have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from numformats.torch.interop.microxcaling.specs import Specs
from numformats.torch.interop.microxcaling.vector_ops import Formula, Vector, stepped

Axes = Sequence[int]


class Norm(NamedTuple):
    """A normalisation without its parameters.

    ``forward(vector, x)`` gives normalised values and what ``backward(vector, error, values,
    *those)`` needs, which gives the gradient of x. ``sums`` are the axes over which ``weight`` and
    ``bias`` are broadcast.
    """

    forward: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    backward: Callable[..., Tensor]
    sums: Axes


def channels(parameters: Sequence[Tensor | None], ndim: int) -> list[Any]:
    """(C,) as (1, C, 1, ...) of ``ndim`` axes."""
    return [None if p is None else p.reshape(-1, *(1,) * (ndim - 2))[None] for p in parameters]


def applied(
    norm: Norm, specs: Specs, x: Tensor, weight: Tensor | None, bias: Tensor | None
) -> Tensor:
    """The normalised ``x`` times ``weight``, plus ``bias``, which have as many axes as ``x``."""
    weighted, biased = weight is not None, bias is not None

    def forward(v: Vector, x: Tensor, weight: Any, bias: Any) -> Any:
        values, kept = norm.forward(v, v(x))
        y = values
        if weighted:
            factor = v(weight)
            y, kept = v.mul(factor, values), (*kept, v.kept(factor, weight))
        return (v.add(y, v(bias)) if biased else y), (values, *kept)

    def backward(v: Vector, e: Tensor, values: Tensor, *kept: Tensor) -> Any:
        error, dw, db = v(e), None, None
        inner = error
        if biased:
            db = v.sum(error, norm.sums, keepdim=True)
        if weighted:
            dw = v.sum(v.mul(error, values), norm.sums, keepdim=True)
            inner, kept = v.mul(error, kept[-1]), kept[:-1]
        return norm.backward(v, inner, values, *kept), dw, db

    return stepped(Formula(forward, backward), specs, x, weight, bias)


class Spread(NamedTuple):
    """Elements around their mean."""

    values: Tensor  #: shift over the root of above
    shift: Tensor  #: from the mean
    inverse: Tensor  #: one over the root of above
    above: Tensor  #: the variance, and eps
    mean: Tensor
    variance: Tensor


def spread(
    v: Vector, x: Tensor, axes: Axes, eps: float, stats: tuple[Tensor, Tensor] | None = None
) -> Spread:
    """``x`` around its mean over ``axes``, or the mean and variance of ``stats``."""
    mean = v.mean(x, axes, keepdim=True) if stats is None else v(stats[0])
    shift = v.sub(x, mean)
    variance = v.mean(v.mul(shift, shift), axes, keepdim=True) if stats is None else v(stats[1])
    above = v.add(variance, eps)
    inverse = v.recip(v.sqrt(above))
    return Spread(v.mul(shift, inverse), shift, inverse, above, mean, variance)


def spread_back(v: Vector, error: Tensor, shift: Tensor, inverse: Tensor, axes: Axes) -> Tensor:
    """The gradient of what was spread: of batch and group normalisation."""
    direct = v.mul(error, inverse)
    mean = v.mean(-direct, axes, keepdim=True)
    inner = v.mean(v.mul(error, shift), axes, keepdim=True)
    inner = v.mul(v.mul(inner, v.mul(inverse, inverse)), inverse)
    return v.add(v.add(direct, v.mul(-inner, shift)), mean)
