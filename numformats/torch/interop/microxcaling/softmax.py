"""Softmax of which every step is rounded: ``mx.softmax``."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.specified import Specified
from numformats.torch.interop.microxcaling.specs import Specs
from numformats.torch.interop.microxcaling.vector_ops import LN_2, Formula, Vector, stepped


def _forward(v: Vector, x: Tensor, dim: int) -> tuple[Tensor, tuple[Tensor]]:
    near = v(x)
    shifted = v.sub(near, near.amax(dim, keepdim=True))
    powers = v.exp2(shifted) if v.specs["softmax_exp2"] else v.exp(shifted)
    y = v.div(powers, v.sum(powers, [dim], keepdim=True))
    return y, (y,)


def _backward(v: Vector, e: Tensor, y: Tensor, dim: int) -> tuple[Tensor]:
    error = v(e)
    inner = v.sum(v.mul(error, y), [dim], keepdim=True)
    found = v.mul(y, v.sub(error, inner))
    return (v.mul(found, LN_2) if v.specs["softmax_exp2"] else found,)


def softmax(
    input: Tensor, dim: int = -1, mx_specs: Specs | None = None, name: str | None = None
) -> Tensor:
    """e^(x - max) over its sum along ``dim``, each step rounded; 2^(x - max) with ``softmax_exp2``.

    Args:
        input: float tensor.
        dim: the axis of the sum.
        mx_specs: ``bfloat`` or ``fp``, ``round``, ``softmax_exp2``, ``vec_use_exp2``,
            ``vec_use_recip``; None: torch's own function.
        name: not used.

    Returns:
        Same shape and dtype. Promise: steps are torch's, in the tensor's dtype, rounded by
        ``quantize_elemwise_op``.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``. IndexError: no such axis.

    Example:
        >>> softmax(torch.tensor([0.0, 1.0]), mx_specs={"bfloat": 16})
        tensor([0.2695, 0.7305])
    """
    if mx_specs is None:
        return torch.nn.functional.softmax(input, dim)
    formula = Formula(partial(_forward, dim=dim), partial(_backward, dim=dim))
    return stepped(formula, mx_specs, input)


class Softmax(Specified, torch.nn.Softmax):
    """``torch.nn.Softmax`` by ``softmax``.

    Args:
        dim: the axis of the sum.
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``; in the forward pass, no ``dim``.

    Example:
        >>> Softmax(-1, {"bfloat": 16})(torch.tensor([0.0, 1.0]))
        tensor([0.2695, 0.7305])
    """

    def __init__(
        self, dim: int | None = None, mx_specs: Specs | None = None, name: str | None = None
    ) -> None:
        super().__init__(dim)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        if self.mx_specs is None:
            return super().forward(input)
        if self.dim is None:
            raise ValueError("dim is None; write the axis of the sum, such as dim=-1")
        return softmax(input, self.dim, self.mx_specs)
