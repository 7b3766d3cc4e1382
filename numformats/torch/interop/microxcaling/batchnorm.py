"""Batch normalisation of which every step is rounded."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.norm_utils import (
    Norm,
    applied,
    channels,
    spread,
    spread_back,
)
from numformats.torch.interop.microxcaling.specified import Specified
from numformats.torch.interop.microxcaling.specs import Specs
from numformats.torch.interop.microxcaling.vector_ops import Vector


def _training(
    v: Vector, x: Tensor, eps: float, momentum: float, running: tuple[Tensor | None, ...]
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """By the statistics of the batch, towards which the running ones move."""
    found = spread(v, x, _all_but_channels(x), eps)
    for kept, new in zip(running, (found.mean, found.variance), strict=True):
        if kept is not None:
            old = v.mul(1 - momentum, kept)
            kept.copy_(v.add(old, v.mul(momentum, new.flatten())))
    return found.values, (found.shift, found.inverse)


def _training_back(
    v: Vector, error: Tensor, values: Tensor, shift: Tensor, inverse: Tensor
) -> Tensor:
    return spread_back(v, error, shift, inverse, _all_but_channels(error))


def _fixed(
    v: Vector, x: Tensor, eps: float, stats: tuple[Tensor, Tensor]
) -> tuple[Tensor, tuple[Tensor]]:
    """By given statistics."""
    mean, variance = channels(stats, x.ndim)
    found = spread(v, x, (), eps, (mean, variance))
    return found.values, (found.inverse,)


def _fixed_back(v: Vector, error: Tensor, values: Tensor, inverse: Tensor) -> Tensor:
    return v.mul(error, inverse)


def _all_but_channels(x: Tensor) -> list[int]:
    return [axis for axis in range(x.ndim) if axis != 1]


def batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    is_training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
    mx_specs: Specs | None = None,
) -> Tensor:
    """``torch.nn.functional.batch_norm``, each step rounded, forward and backward.

    Args:
        x: (N, C, ...).
        running_mean: (C,), or None in training; moves there towards the mean of the batch, in
            place and rounded.
        running_var: likewise towards its variance (over n elements, where torch's is over n - 1).
        weight: (C,), or None.
        bias: (C,), or None.
        is_training: by the statistics of the batch; else by the running ones.
        momentum: what the new statistics weigh.
        eps: is added to the variance.
        mx_specs: ``bfloat`` or ``fp``, ``round``, ``vec_use_recip``; None: torch's own function.

    Returns:
        Same shape and dtype. Promise: steps are torch's, in the tensor's dtype, rounded by
        ``quantize_elemwise_op``.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``; no running statistics outside training.

    Example:
        >>> x = torch.tensor([[1.0], [3.0]])
        >>> batch_norm(x, None, None, None, None, True, eps=0.0, mx_specs={"bfloat": 16}).tolist()
        [[-1.0], [1.0]]
    """
    if mx_specs is None:
        return torch.nn.functional.batch_norm(
            x, running_mean, running_var, weight, bias, is_training, momentum, eps
        )
    sums, params = _all_but_channels(x), channels((weight, bias), x.ndim)
    if is_training:
        forward = partial(
            _training, eps=eps, momentum=momentum, running=(running_mean, running_var)
        )
        return applied(Norm(forward, _training_back, sums), mx_specs, x, *params)
    if running_mean is None or running_var is None:
        raise ValueError("running_mean or running_var is None; write is_training=True, or both")
    fixed = partial(_fixed, eps=eps, stats=(running_mean, running_var))
    return applied(Norm(fixed, _fixed_back, sums), mx_specs, x, *params)


class _BatchNorm(Specified):
    """Between a layer of torch and ``batch_norm``."""

    def __init__(
        self,
        num_features: int,
        mx_specs: Specs | None = None,
        name: str | None = None,
        **keywords: Any,
    ) -> None:
        layer: Any = super()
        layer.__init__(num_features, **keywords)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        layer: Any = self
        if self.mx_specs is None:
            plain: Any = super()
            found: Tensor = plain.forward(input)
            return found
        layer._check_input_dim(input)
        tracked = layer.training and layer.track_running_stats
        if tracked:
            layer.num_batches_tracked += 1
        momentum = layer.momentum
        if momentum is None:
            momentum = 1.0 / float(layer.num_batches_tracked) if tracked else 0.0
        running = layer.running_mean, layer.running_var
        training = layer.training or running[0] is None
        if layer.training and not tracked:
            running = None, None
        params = layer.weight, layer.bias
        return batch_norm(input, *running, *params, training, momentum, layer.eps, self.mx_specs)


class BatchNorm1d(_BatchNorm, torch.nn.BatchNorm1d):
    """``torch.nn.BatchNorm1d`` by ``batch_norm``; as ``BatchNorm2d``."""


class BatchNorm2d(_BatchNorm, torch.nn.BatchNorm2d):
    """``torch.nn.BatchNorm2d`` by ``batch_norm``.

    Args:
        num_features: channels.
        mx_specs: None: torch's own layer.
        name: kept.
        keywords: ``eps``, ``momentum``, ``affine``, ``track_running_stats``, ``device``, ``dtype``
            of torch's layer.

    Raises:
        ValueError: an unknown key of ``mx_specs``; what torch's layer refuses.

    Example:
        >>> BatchNorm2d(4, {"bfloat": 16})(torch.zeros(2, 4, 3, 3)).shape
        torch.Size([2, 4, 3, 3])
    """


class BatchNorm3d(_BatchNorm, torch.nn.BatchNorm3d):
    """``torch.nn.BatchNorm3d`` by ``batch_norm``; as ``BatchNorm2d``."""
