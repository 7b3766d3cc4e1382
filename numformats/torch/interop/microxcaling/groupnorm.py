"""Group normalisation of which every step is rounded."""

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


def _grouped(x: Tensor, groups: int) -> tuple[Tensor, range]:
    """(N, groups, C / groups, ...), and the axes that are one group."""
    found = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return found, range(2, found.ndim)


def _forward(v: Vector, x: Tensor, groups: int, eps: float) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    found = spread(v, *_grouped(x, groups), eps)
    return found.values.flatten(1, 2), (found.shift, found.inverse)


def _backward(
    v: Vector, error: Tensor, values: Tensor, shift: Tensor, inverse: Tensor, groups: int
) -> Tensor:
    inner, axes = _grouped(error, groups)
    return spread_back(v, inner, shift, inverse, axes).flatten(1, 2)


def group_norm(
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    mx_specs: Specs | None = None,
) -> Tensor:
    """``torch.nn.functional.group_norm``, each step rounded, forward and backward.

    Args:
        x: (N, C, ...).
        num_groups: of channels; mean and variance run over a group and all places.
        weight: (C,), or None.
        bias: (C,), or None.
        eps: is added to the variance.
        mx_specs: ``bfloat`` or ``fp``, ``round``, ``vec_use_recip``; None: torch's own function.

    Returns:
        Same shape and dtype. Promise: steps are torch's, in the tensor's dtype, rounded by
        ``quantize_elemwise_op``.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``; groups that do not divide C.

    Example:
        >>> x = torch.tensor([1.0, 3.0, 5.0, 9.0]).reshape(1, 4, 1)
        >>> group_norm(x, 2, eps=0.0, mx_specs={"bfloat": 16}).flatten()
        tensor([-1.,  1., -1.,  1.])
    """
    if mx_specs is None:
        return torch.nn.functional.group_norm(x, num_groups, weight, bias, eps)
    if num_groups < 1 or x.ndim < 2 or x.shape[1] % num_groups:
        raise ValueError(
            f"num_groups={num_groups} and x of shape {tuple(x.shape)}; write a divisor of axis 1"
        )
    forward = partial(_forward, groups=num_groups, eps=eps)
    sums = [axis for axis in range(x.ndim) if axis != 1]
    steps = Norm(forward, partial(_backward, groups=num_groups), sums)
    return applied(steps, mx_specs, x, *channels((weight, bias), x.ndim))


class GroupNorm(Specified, torch.nn.GroupNorm):
    """``torch.nn.GroupNorm`` by ``group_norm``.

    Args:
        num_groups, num_channels: as of torch's layer.
        mx_specs: None: torch's own layer.
        name: kept.
        keywords: ``eps``, ``affine``, ``device``, ``dtype`` of torch's layer.

    Raises:
        ValueError: an unknown key of ``mx_specs``; what torch's layer refuses.

    Example:
        >>> GroupNorm(2, 4, {"bfloat": 16})(torch.zeros(1, 4, 3)).shape
        torch.Size([1, 4, 3])
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        mx_specs: Specs | None = None,
        name: str | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(num_groups, num_channels, **keywords)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        params = self.weight, self.bias, self.eps, self.mx_specs
        return group_norm(input, self.num_groups, *params)
