"""One matrix product and its two backward ones, with rounded operands."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.elemwise_ops import quantize_elemwise_op
from numformats.torch.interop.microxcaling.mx_ops import quantize_mx_op
from numformats.torch.interop.microxcaling.specs import MxSpecs, get_backwards_mx_specs


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


class Product(torch.autograd.Function):
    """out = E(B(E(left)) @ B(E(right))) and E(out + E(bias)): E rounds elements, B blocks along the
    axis that is summed, in each of the three products anew."""

    @staticmethod
    def forward(
        ctx: Any, left: Tensor, right: Tensor, bias: Tensor | None, specs: MxSpecs, sides: Sides
    ) -> Tensor:
        """The product of the rounded operands."""
        near = quantize_elemwise_op(left, specs, specs["round_output"])
        far = quantize_elemwise_op(right, specs, specs[sides.round_right])
        kept = (near, far) if specs["quantize_backprop"] else (left, right)
        ctx.save_for_backward(*kept)
        ctx.how, ctx.bias = (get_backwards_mx_specs(specs), sides), getattr(bias, "shape", None)
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
        """The gradients of left, right and bias."""
        specs, _ = ctx.how
        error = quantize_elemwise_op(error, specs, specs["round_grad_input"])
        need_left, need_right, need_bias, *_ = ctx.needs_input_grad
        bias = None
        if need_bias:
            bias = error.reshape(-1, error.shape[-1]).sum(0).reshape(ctx.bias)
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


def product(
    left: Tensor, right: Tensor, bias: Tensor | None, specs: MxSpecs, sides: Sides
) -> Tensor:
    """left @ right (+ bias), (..., M, K) @ (..., K, N), by the keys of ``sides``."""
    call: Any = Product.apply
    found: Tensor = call(left, right, bias, specs, sides)
    return found
