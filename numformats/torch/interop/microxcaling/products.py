"""Matrix products with rounded operands: the calls ``mx.linear``, ``mx.matmul``, ``mx.bmm``."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from numformats.checks import choice
from numformats.torch.interop.microxcaling.elemwise_ops import quantize_elemwise_op
from numformats.torch.interop.microxcaling.mx_ops import quantize_mx_op
from numformats.torch.interop.microxcaling.specs import (
    MxSpecs,
    Specs,
    apply_mx_specs,
    get_backwards_mx_specs,
)


class Sides(NamedTuple):
    """The keys of specifications that count for left @ right: formats, and then roundings."""

    left: str
    right: str
    left_back: str
    right_back: str
    error_left: str = "a_elem_format_bp_os"  #: of the error in the gradient of left
    error_right: str = "a_elem_format_bp_os"
    round_right: str = "round_output"  #: element-wise
    round_left_back: str = "round_mx_input_grad_input"
    round_right_back: str = "round_mx_input_grad_input"
    round_error_left: str = "round_mx_grad_output_grad_input"
    round_error_right: str = "round_mx_grad_output_grad_input"
    round_grad_right: str = "round_grad_input"
    flat: bool = False  #: all axes of left but the last are rows of one matrix


LINEAR = Sides(
    "a_elem_format", "w_elem_format", "a_elem_format_bp_ex", "w_elem_format_bp",
    error_right="a_elem_format_bp_ex", round_right="round_weight",
    round_left_back="round_mx_input_grad_weight", round_right_back="round_mx_weight_grad_input",
    round_error_right="round_mx_grad_output_grad_weight", round_grad_right="round_grad_weight",
    flat=True,
)  # fmt: skip
BACK = {"a": "a_elem_format_bp_os", "w": "w_elem_format_bp"}


def _blocks(x: Tensor, specs: MxSpecs, key: str, axis: int, round: str) -> Tensor:
    return quantize_mx_op(x, specs, specs[key], axes=[axis], round=specs[round])


class _Product(torch.autograd.Function):
    """out = E(B(E(left)) @ B(E(right))) and E(out + E(bias)): E rounds elements, B blocks along the
    axis that is summed, in each of the three products anew."""

    @staticmethod
    def forward(
        ctx: Any, left: Tensor, right: Tensor, bias: Tensor | None, specs: MxSpecs, sides: Sides
    ) -> Tensor:
        near = quantize_elemwise_op(left, specs, specs["round_output"])
        far = quantize_elemwise_op(right, specs, specs[sides.round_right])
        kept = (near, far) if specs["quantize_backprop"] else (left, right)
        ctx.save_for_backward(*kept)
        ctx.how, ctx.bias = (get_backwards_mx_specs(specs), sides), bias is not None
        out = _blocks(near, specs, sides.left, -1, "round_mx_output") @ _blocks(
            far, specs, sides.right, -2, "round_mx_output"
        )
        out = quantize_elemwise_op(out, specs, specs["round_output"])
        if bias is None:
            return out
        added = quantize_elemwise_op(bias, specs, specs["round_weight"])
        return quantize_elemwise_op(out + added, specs, specs["round_output"])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor | None, ...]:
        specs, _ = ctx.how
        error = quantize_elemwise_op(error, specs, specs["round_grad_input"])
        need_left, need_right, need_bias, *_ = ctx.needs_input_grad
        bias = None
        if ctx.bias and need_bias:
            bias = error.reshape(-1, error.shape[-1]).sum(0)
            bias = quantize_elemwise_op(bias, specs, specs["round_grad_weight"])
        left = _grad_left(ctx, error) if need_left else None
        return left, _grad_right(ctx, error) if need_right else None, bias, None, None


def _grad_left(ctx: Any, error: Tensor) -> Tensor:
    (specs, sides), (_, right) = ctx.how, ctx.saved_tensors
    far = _blocks(right, specs, sides.right_back, -1, sides.round_right_back)
    near = _blocks(error, specs, sides.error_left, -1, sides.round_error_left)
    return quantize_elemwise_op(near @ far.transpose(-1, -2), specs, specs["round_grad_input"])


def _grad_right(ctx: Any, error: Tensor) -> Tensor:
    (specs, sides), (left, _) = ctx.how, ctx.saved_tensors
    near = _blocks(left, specs, sides.left_back, -2, sides.round_left_back)
    far = _blocks(error, specs, sides.error_right, -2, sides.round_error_right)
    if sides.flat:
        near, far = near.reshape(-1, near.shape[-1]), far.reshape(-1, far.shape[-1])
    return quantize_elemwise_op(near.transpose(-1, -2) @ far, specs, specs[sides.round_grad_right])


def _product(
    left: Tensor, right: Tensor, bias: Tensor | None, specs: MxSpecs, sides: Sides
) -> Tensor:
    call: Any = _Product.apply
    found: Tensor = call(left, right, bias, specs, sides)
    return found


def linear(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    mx_specs: Specs | None = None,
    name: str | None = None,
) -> Tensor:
    """``torch.nn.functional.linear`` with rounded operands, forward and backward.

    Operands are rounded element by element, then in blocks along the axis that the product sums
    over; torch multiplies; the result is rounded element by element. The gradient of the weight
    has blocks along the axis before the last of ``input``.

    Args:
        input: (..., in), float32.
        weight: (out, in).
        bias: (out,) or None.
        mx_specs: None: torch's own function.
        name: not used.

    Returns:
        (..., out). Promise: operands are those of ``quantize_mx_op``; sums are torch's.

    Raises:
        TypeError, ValueError: as ``quantize_mx_op`` and ``quantize_elemwise_op``.

    Example:
        >>> specs = {"a_elem_format": "fp4", "w_elem_format": "fp4", "block_size": 32}
        >>> linear(torch.tensor([[1.1, 4.0]]), torch.tensor([[1.0, 1.0]]), mx_specs=specs)
        tensor([[5.]])
    """
    if mx_specs is None:
        return torch.nn.functional.linear(input, weight, bias)
    specs = apply_mx_specs(mx_specs)
    rows = input if input.ndim > 1 else input.unsqueeze(0)
    out = _product(rows, weight.t(), bias, specs, LINEAR)
    return out if input.ndim > 1 else out.squeeze(0)


def matmul(
    in1: Tensor,
    in2: Tensor,
    bias: Tensor | None = None,
    mx_specs: Specs | None = None,
    name: str | None = None,
    mode_config: str = "aa",
) -> Tensor:
    """``in1 @ in2 (+ bias)`` with rounded operands, forward and backward; as ``linear``.

    Args:
        in1: (..., M, K).
        in2: (..., K, N).
        bias: (N,) or None.
        mx_specs: None: torch's own function.
        name: not used.
        mode_config: which operand is an activation (a) and which a weight (w): ``"aa"``, ``"aw"``
            or ``"wa"``.

    Returns, Raises: as ``linear``.

    Example:
        >>> specs = {"a_elem_format": "fp4", "block_size": 32}
        >>> matmul(torch.tensor([[1.1, 4.0]]), torch.ones(2, 1), mx_specs=specs)
        tensor([[5.]])
    """
    choice("mode_config", mode_config, ("aa", "aw", "wa"))
    if mx_specs is None:
        return in1 @ in2 if bias is None else in1 @ in2 + bias
    near, far = mode_config[0], mode_config[1]
    sides = Sides(f"{near}_elem_format", f"{far}_elem_format", BACK[near], BACK[far])
    return _product(in1, in2, bias, apply_mx_specs(mx_specs), sides)


def bmm(in1: Tensor, in2: Tensor, mx_specs: Specs | None = None, name: str | None = None) -> Tensor:
    """``matmul`` of two activations of equal leading axes: (..., M, K) @ (..., K, N)."""
    return matmul(in1, in2, mx_specs=mx_specs, name=name)


class Linear(torch.nn.Linear):
    """``torch.nn.Linear`` by ``linear``.

    Args:
        in_features: length of the last axis.
        out_features: length of the result's last axis.
        bias: whether something is added.
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``.

    Example:
        >>> Linear(4, 2, mx_specs={"a_elem_format": "int8"})(torch.zeros(1, 4)).shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        mx_specs: Specs | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.name, self.mx_specs = name, None if mx_specs is None else apply_mx_specs(mx_specs)

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        return linear(input, self.weight, self.bias, self.mx_specs, self.name)
