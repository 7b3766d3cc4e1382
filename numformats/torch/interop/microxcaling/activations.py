"""Activations of which every step is rounded: ``mx.sigmoid``, ``mx.tanh``, ``mx.relu``,
``mx.relu6``, ``mx.leaky_relu``, ``mx.silu`` and ``mx.gelu``.

Inputs and errors are rounded first (``relu`` and ``relu6`` choose before they round). Without
``mx_specs`` they are torch's.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from numformats.torch.interop.microxcaling.specs import Specs
from numformats.torch.interop.microxcaling.vector_ops import Formula, Vector, stepped

Kept = tuple[Tensor, tuple[Tensor, ...]]
# Of x sigmoid(a (x + b x^3)), near GELU, and of its slope, in bfloat16; a alone is of the first
# order.
A_FIRST, A, B, AB3 = 1.703125, 1.59375, 0.044677734, 0.21386719


def _sigmoid(v: Vector, x: Tensor) -> Kept:
    y = v.sigmoid(v(x))
    return y, (y,)


def _sigmoid_back(v: Vector, e: Tensor, y: Tensor) -> tuple[Tensor]:
    return (v.mul(v.mul(y, v.sub(1.0, y)), v(e)),)


def _tanh(v: Vector, x: Tensor) -> Kept:
    y = v(torch.tanh(v(x)))
    return y, (y,)


def _tanh_back(v: Vector, e: Tensor, y: Tensor) -> tuple[Tensor]:
    return (v.mul(v.sub(1.0, v.mul(y, y)), v(e)),)


def _clipped(v: Vector, x: Tensor, top: float) -> Kept:
    y = v(x.clamp(0.0, top))
    return y, ((y > 0) & (y < top),)


def _clipped_back(v: Vector, e: Tensor, inside: Tensor) -> tuple[Tensor]:
    return (v(torch.where(inside, e, 0.0)),)


def _leaky(v: Vector, x: Tensor, slope: float) -> Kept:
    y = v(functional.leaky_relu(v(x), slope))
    return y, (y > 0,)


def _leaky_back(v: Vector, e: Tensor, positive: Tensor, slope: float) -> tuple[Tensor]:
    error = v(e)
    return (torch.where(positive, error, v.mul(error, slope)),)


def _silu(v: Vector, x: Tensor) -> Kept:
    near = v(x)
    part = v.sigmoid(near)
    y = v.mul(near, part)
    return y, (y, part)


def _silu_back(v: Vector, e: Tensor, y: Tensor, part: Tensor) -> tuple[Tensor]:
    error = v(e)
    return (v.mul(v.add(part, v.mul(y, v.sub(1.0, part))), error),)


def _gelu(v: Vector, x: Tensor, first: bool) -> Kept:
    near = v(x)
    if first:
        inner = v.mul(A_FIRST, near)
    else:
        cube = v.mul(v.mul(near, near), near)
        inner = v.mul(A, v.add(v.mul(B, cube), near))
    part = v.sigmoid(inner)
    return v.mul(near, part), (v.kept(near, x), part)


def _gelu_back(v: Vector, e: Tensor, x: Tensor, part: Tensor, first: bool) -> tuple[Tensor]:
    error, slope = v(e), v.mul(part, v.sub(1.0, part))
    slope = v.mul(A_FIRST if first else v.add(A, v.mul(AB3, v.mul(x, x))), slope)
    return (v.mul(v.add(part, v.mul(x, slope)), error),)


SIGMOID, TANH, SILU = (
    Formula(_sigmoid, _sigmoid_back), Formula(_tanh, _tanh_back), Formula(_silu, _silu_back),
)  # fmt: skip


def sigmoid(input: Tensor, mx_specs: Specs | None = None, name: str | None = None) -> Tensor:
    """1 / (1 + e^-x), each step rounded.

    Args:
        input: float tensor of any shape.
        mx_specs: ``bfloat`` or ``fp``, ``round``, ``vec_use_exp2``; None: torch's own function.
        name: not used.

    Returns:
        Same shape and dtype. Promise: steps are torch's, in the tensor's dtype, rounded by
        ``quantize_elemwise_op``.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``.

    Example:
        >>> sigmoid(torch.tensor([1.0]), {"bfloat": 16})
        tensor([0.7305])
    """
    return torch.sigmoid(input) if mx_specs is None else stepped(SIGMOID, mx_specs, input)


def tanh(input: Tensor, mx_specs: Specs | None = None, name: str | None = None) -> Tensor:
    """tanh, rounded; as ``sigmoid``."""
    return torch.tanh(input) if mx_specs is None else stepped(TANH, mx_specs, input)


def _clip(x: Tensor, top: float, specs: Specs, inplace: bool) -> Tensor:
    formula = Formula(partial(_clipped, top=top), _clipped_back)
    return stepped(formula, specs, x, inplace=inplace)


def relu(
    input: Tensor, inplace: bool = False, mx_specs: Specs | None = None, name: str | None = None
) -> Tensor:
    """max(x, 0), rounded; as ``sigmoid``. ``inplace``: written into ``input``."""
    if mx_specs is None:
        return functional.relu(input, inplace)
    return _clip(input, float("inf"), mx_specs, inplace)


def relu6(
    input: Tensor, inplace: bool = False, mx_specs: Specs | None = None, name: str | None = None
) -> Tensor:
    """min(max(x, 0), 6), rounded; as ``relu``."""
    if mx_specs is None:
        return functional.relu6(input, inplace)
    return _clip(input, 6.0, mx_specs, inplace)


def leaky_relu(
    input: Tensor, negative_slope: float = 0.01, inplace: bool = False,
    mx_specs: Specs | None = None, name: str | None = None,
) -> Tensor:  # fmt: skip
    """x, or ``negative_slope`` x where x is below 0; as ``relu``."""
    if mx_specs is None:
        return functional.leaky_relu(input, negative_slope, inplace)
    slope: Any = {"slope": negative_slope}
    formula = Formula(partial(_leaky, **slope), partial(_leaky_back, **slope))
    return stepped(formula, mx_specs, input, inplace=inplace)


def silu(
    input: Tensor, inplace: bool = False, mx_specs: Specs | None = None, name: str | None = None
) -> Tensor:
    """x sigmoid(x); as ``relu``."""
    if mx_specs is None:
        return functional.silu(input, inplace)
    return stepped(SILU, mx_specs, input, inplace=inplace)


def gelu(
    input: Tensor,
    mx_specs: Specs | None = None,
    first_order_gelu: bool = False,
    name: str | None = None,
) -> Tensor:
    """x sigmoid(1.59375 (x + 0.044677734 x^3)), near GELU, or with ``first_order_gelu``
    x sigmoid(1.703125 x); as ``sigmoid``. Without both options: torch's GELU.

    Example:
        >>> gelu(torch.tensor([1.0]), {"bfloat": 16})
        tensor([0.8438])
    """
    if mx_specs is None and not first_order_gelu:
        return functional.gelu(input)
    first: Any = {"first": first_order_gelu}
    formula = Formula(partial(_gelu, **first), partial(_gelu_back, **first))
    return stepped(formula, mx_specs or {}, input)
