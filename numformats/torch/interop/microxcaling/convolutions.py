"""Convolutions with rounded operands: the calls ``mx.conv1d``, ``mx.conv2d``, ``mx.conv3d``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.elemwise_ops import quantize_elemwise_op
from numformats.torch.interop.microxcaling.mx_ops import quantize_mx_op
from numformats.torch.interop.microxcaling.specs import (
    MxSpecs,
    Specs,
    apply_mx_specs,
    get_backwards_mx_specs,
)
from numformats.torch.simulation.convolutions import each, paddings
from numformats.torch.simulation.windows import Windows

Sizes = int | Sequence[int]
TRANSPOSED = 3  # its place in the arguments of ``torch.convolution`` after the bias


def _blocks(x: Tensor, specs: MxSpecs, role: str, axis: int) -> Tensor:
    """To nearest, whatever the specification says of blocks: so the package does."""
    return quantize_mx_op(x, specs, specs[f"{role}_elem_format"], axes=[axis])


class Convolution(torch.autograd.Function):
    """``torch.convolution``: elements are rounded, then blocks along the channels that are summed;
    for the gradient of the filters along the batch. The bias is added before the result is rounded.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, specs: MxSpecs, how: tuple[Any, ...]
    ) -> Tensor:
        """The convolution of the rounded operands."""
        near = quantize_elemwise_op(x, specs, specs["round_output"])
        far = quantize_elemwise_op(w, specs, specs["round_weight"])
        start = None if bias is None else quantize_elemwise_op(bias, specs, specs["round_weight"])
        ctx.save_for_backward(*((near, far) if specs["quantize_backprop"] else (x, w)))
        ctx.specs, ctx.how = get_backwards_mx_specs(specs), how
        rows, filters = _blocks(near, specs, "a", 1), _blocks(far, specs, "w", 1 - how[TRANSPOSED])
        out = torch.convolution(rows, filters, start, *how)
        return quantize_elemwise_op(out, specs, specs["round_output"])

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of x, w and bias."""
        specs, how, (x, w) = ctx.specs, ctx.how, ctx.saved_tensors
        error = quantize_elemwise_op(error, specs, specs["round_grad_input"])
        dx = dw = db = None
        back: Any = torch.ops.aten.convolution_backward
        if ctx.needs_input_grad[0]:
            filters, e = _blocks(w, specs, "w", int(how[TRANSPOSED])), _blocks(error, specs, "a", 1)
            dx = back(e, x, filters, None, *how, [True, False, False])[0]
            dx = quantize_elemwise_op(dx, specs, specs["round_grad_input"])
        if ctx.needs_input_grad[1]:
            rows, e = _blocks(x, specs, "a", 0), _blocks(error, specs, "a", 0)
            dw = back(e, rows, w, None, *how, [False, True, False])[1]
            dw = quantize_elemwise_op(dw, specs, specs["round_grad_weight"])
        if ctx.needs_input_grad[2]:
            db = error.sum([axis for axis in range(error.ndim) if axis != 1])
            db = quantize_elemwise_op(db, specs, specs["round_grad_weight"])
        return dx, dw, db, None, None


def convolve(
    x: Tensor, w: Tensor, bias: Tensor | None, specs: Specs, windows: Windows, groups: int,
    output_padding: tuple[int, ...] | None = None,
) -> Tensor:  # fmt: skip
    """A convolution, or with ``output_padding`` a transposed one; ``x`` may lack the batch."""
    if x.ndim == w.ndim - 1:
        return convolve(x[None], w, bias, specs, windows, groups, output_padding)[0]
    x, windows = windows.evened(x)
    call: Any = Convolution.apply
    how = windows.arguments(groups, output_padding)
    found: Tensor = call(x, w, bias, apply_mx_specs(specs), how)
    return found


def _convolution(
    plain: Any, input: Tensor, weight: Tensor, bias: Tensor | None, stride: Sizes, padding: Any,
    dilation: Sizes, groups: int, mx_specs: Specs | None,
) -> Tensor:  # fmt: skip
    if mx_specs is None:
        found: Tensor = plain(input, weight, bias, stride, padding, dilation, groups)
        return found
    kernel = tuple(weight.shape[2:])
    stride, dilation = each(stride, len(kernel)), each(dilation, len(kernel))
    if padding == "same" and set(stride) != {1}:
        raise ValueError(f"padding='same' needs stride=1, and stride is {stride}")
    windows = Windows(kernel, stride, paddings(padding, kernel, dilation), dilation)
    return convolve(input, weight, bias, mx_specs, windows, groups)


def conv1d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Any = 0, dilation: Sizes = 1, groups: int = 1, mx_specs: Specs | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """``torch.nn.functional.conv1d`` with rounded operands; as ``conv2d``, with one axis."""
    args = (input, weight, bias, stride, padding, dilation, groups, mx_specs)
    return _convolution(torch.nn.functional.conv1d, *args)


def conv2d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Any = 0, dilation: Sizes = 1, groups: int = 1, mx_specs: Specs | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """``torch.nn.functional.conv2d`` with rounded operands, forward and backward.

    Operands are rounded element by element, then in blocks along the channels that are summed (for
    the gradient of the weight along the batch); torch convolves; the result is rounded element by
    element. Blocks are rounded to nearest, ties away, in ``a_elem_format`` and ``w_elem_format``
    in all three products: of ``mx_specs``, the package reads no other key for convolutions.

    Args:
        input: ([N,] C, H, W), float32.
        weight: (filters, C / groups, kH, kW).
        bias: (filters,) or None.
        stride: of windows, for all axes or each.
        padding: zeros on both sides, or ``"same"`` or ``"valid"``.
        dilation: between taps, for all axes or each.
        groups: of channels; blocks run over their borders.
        mx_specs: None: torch's own function.
        name: not used.

    Returns:
        ([N,] filters, H', W'). Promise: operands are those of ``quantize_mx_op``; sums are torch's.

    Raises:
        TypeError, ValueError: as ``quantize_mx_op`` and ``quantize_elemwise_op``; a ``padding``
            that is no number, ``"same"`` or ``"valid"``. RuntimeError: shapes, as of torch.

    Example:
        >>> specs = {"a_elem_format": "fp4", "w_elem_format": "fp4", "block_size": 32}
        >>> x = torch.tensor([1.1, 4.0]).reshape(1, 2, 1, 1)
        >>> conv2d(x, torch.ones(1, 2, 1, 1), mx_specs=specs).item()
        5.0
    """
    args = (input, weight, bias, stride, padding, dilation, groups, mx_specs)
    return _convolution(torch.nn.functional.conv2d, *args)


def conv3d(
    input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sizes = 1,
    padding: Any = 0, dilation: Sizes = 1, groups: int = 1, mx_specs: Specs | None = None,
    name: str | None = None,
) -> Tensor:  # fmt: skip
    """``torch.nn.functional.conv3d`` with rounded operands; as ``conv2d``, with three axes."""
    args = (input, weight, bias, stride, padding, dilation, groups, mx_specs)
    return _convolution(torch.nn.functional.conv3d, *args)
