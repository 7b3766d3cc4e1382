"""Layer and root-mean-square normalisation of which every step is rounded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.norm_utils import Axes, Norm, applied, spread
from numformats.torch.interop.microxcaling.specified import Specified
from numformats.torch.interop.microxcaling.specs import Specs
from numformats.torch.interop.microxcaling.vector_ops import Vector


def _layer(v: Vector, x: Tensor, axes: Axes, eps: float) -> tuple[Tensor, tuple[Tensor]]:
    found = spread(v, x, axes, eps)
    return found.values, (found.above,)


def _layer_back(v: Vector, error: Tensor, values: Tensor, above: Tensor, axes: Axes) -> Tensor:
    deviation = v.sqrt(above)
    direct = v.mul(error, v.div(1.0, deviation))
    inner = v.mean(v.mul(v.mul(error, values), deviation), axes, keepdim=True)
    inner = v.mul(inner, v.div(1.0, above))
    found = v.add(direct, v.mul(-inner, values))
    return v.add(found, -v.mean(found, axes, keepdim=True))


def _root(v: Vector, x: Tensor, axes: Axes, eps: float) -> tuple[Tensor, tuple[Tensor]]:
    inverse = v.recip(v.sqrt(v.add(v.mean(v.mul(x, x), axes, keepdim=True), eps)))
    return v.mul(x, inverse), (inverse,)


def _root_back(v: Vector, error: Tensor, values: Tensor, inverse: Tensor, axes: Axes) -> Tensor:
    direct = v.mul(error, inverse)
    return v.sub(direct, v.mul(values, v.mean(v.mul(direct, values), axes, keepdim=True)))


Steps = tuple[Callable[..., Any], Callable[..., Any]]
LAYER: Steps = _layer, _layer_back
ROOT: Steps = _root, _root_back


def _last(
    steps: Steps, count: int, eps: float, specs: Specs, x: Tensor, *params: Tensor | None
) -> Tensor:
    """Over the last ``count`` axes."""
    lead, axes = range(x.ndim - count), range(x.ndim - count, x.ndim)
    norm = Norm(partial(steps[0], axes=axes, eps=eps), partial(steps[1], axes=axes), lead)
    ones = (1,) * len(lead)
    weight, bias = (None if p is None else p.reshape(*ones, *p.shape) for p in params)
    return applied(norm, specs, x, weight, bias)


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float = 1e-12,
    mx_specs: Specs | None = None,
    name: str | None = None,
) -> Tensor:
    """``torch.nn.functional.layer_norm``, each step rounded, forward and backward.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the last axes, over which mean and variance run.
        weight: of ``normalized_shape``, or None.
        bias: likewise.
        eps: is added to the variance.
        mx_specs: ``bfloat`` or ``fp``, ``round``, ``vec_use_recip``; None: torch's own function.
        name: not used.

    Returns:
        Same shape and dtype. Promise: steps are torch's, in the tensor's dtype, rounded by
        ``quantize_elemwise_op``.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``; shapes that do not fit.

    Example:
        >>> one, zero = torch.ones(2), torch.zeros(2)
        >>> layer_norm(torch.tensor([1.0, 3.0]), 2, one, zero, mx_specs={"bfloat": 16})
        tensor([-1.,  1.])
    """
    shape = [normalized_shape] if isinstance(normalized_shape, int) else list(normalized_shape)
    if mx_specs is None:
        return torch.nn.functional.layer_norm(input, shape, weight, bias, eps)
    _check(shape, input, weight, bias)
    return _last(LAYER, len(shape), eps, mx_specs, input, weight, bias)


def _check(shape: list[int], input: Tensor, *params: Tensor | None) -> None:
    wrong = [p for p in params if p is not None and list(p.shape) != shape]
    if list(input.shape[-len(shape) :]) != shape or wrong:
        raise ValueError(
            f"normalized_shape={shape}, input of shape {tuple(input.shape)}, weight and bias of "
            f"{[None if p is None else tuple(p.shape) for p in params]}; write the last axes of "
            "the input"
        )


class LayerNorm(Specified, torch.nn.LayerNorm):
    """``torch.nn.LayerNorm`` by ``layer_norm``.

    Args:
        hidden_size: the last axis, or several.
        eps: is added to the variance; 1e-12, where torch has 1e-5.
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``.

    Example:
        >>> LayerNorm(2, mx_specs={"bfloat": 16})(torch.tensor([1.0, 3.0])).tolist()
        [-1.0, 1.0]
    """

    def __init__(
        self,
        hidden_size: int | Sequence[int],
        eps: float = 1e-12,
        mx_specs: Specs | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(hidden_size if isinstance(hidden_size, int) else list(hidden_size), eps)
        self.specify(mx_specs, name)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        shape = list(self.normalized_shape)
        return layer_norm(x, shape, self.weight, self.bias, self.eps, self.mx_specs)


class RMSNorm(LayerNorm):
    """Each step of x / sqrt(mean(x^2) + eps) * weight + bias rounded; as ``LayerNorm``.

    Example:
        >>> RMSNorm(2, mx_specs={"bfloat": 16})(torch.tensor([1.0, 1.0])).tolist()
        [1.0, 1.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        count = len(self.normalized_shape)
        specs = {} if self.mx_specs is None else self.mx_specs
        return _last(ROOT, count, self.eps, specs, x, self.weight, self.bias)
