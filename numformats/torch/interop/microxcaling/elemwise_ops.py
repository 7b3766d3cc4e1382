"""Rounding of single elements to bfloat or fp formats: the calls of ``mx.elemwise_ops``."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import numformats as nf
from numformats.rounding import find
from numformats.torch.checking import check_tensor
from numformats.torch.interop.drawing import drawn_key
from numformats.torch.interop.microxcaling.elements import rounding_of
from numformats.torch.interop.microxcaling.specs import (
    Specs,
    apply_mx_specs,
    checked_specs,
    get_backwards_mx_specs,
)
from numformats.torch.quantizing import quantize


def elementwise_format(mx_specs: Specs) -> nf.Float | None:
    """The float of element-wise results: ``bfloat`` bits with 8 of exponent, or ``fp`` bits with 5;
    None where both are 0 (or ``bfloat`` 32).

    Raises:
        ValueError: both; too few bits; an unknown key.

    Example:
        >>> str(elementwise_format({"bfloat": 16}))
        'bf16'
    """
    specs = checked_specs(mx_specs)
    bfloat, fp = specs["bfloat"], specs["fp"]
    if bfloat > 0 and fp > 0:
        raise ValueError(f"bfloat={bfloat} and fp={fp}; set one of them to 0")
    for name, bits, least in (("bfloat", bfloat, 10), ("fp", fp, 7)):
        if bits and not least <= bits <= 32:
            raise ValueError(f"{name}={bits}; write 0 or {least} to 32")
    if not fp and bfloat in (0, 32):
        return None
    exp_bits, bits = (8, bfloat) if bfloat else (5, fp)
    return nf.Float(exp_bits, bits - exp_bits - 1, overflow="infinity")


def quantize_elemwise_op(A: Tensor, mx_specs: Specs | None, round: str | None = None) -> Tensor:
    """Round every element to the bfloat or fp format of ``mx_specs``.

    Args:
        A: float tensor of any shape.
        mx_specs: ``bfloat``, ``fp``, ``bfloat_subnorms`` and ``round`` count; None leaves values.
        round: that of ``mx_specs`` by default; as in ``quantize_mx_op``.

    Returns:
        Same shape, dtype and device as ``A``, outside of any graph. Beyond the range Inf. Promise:
        the bits of ``nf.quantize``; without ``bfloat_subnorms`` magnitudes below the smallest
        normal become 0 before they are rounded.

    Raises:
        TypeError, ValueError: no float tensor; widths as ``elementwise_format``; unknown names
            and keys.

    Example:
        >>> quantize_elemwise_op(torch.tensor([1.00390625]), {"bfloat": 16}, "nearest")
        tensor([1.0078])
    """
    if mx_specs is None:
        return A
    specs = checked_specs(mx_specs)
    fmt = elementwise_format(specs)
    if fmt is None:
        return A
    check_tensor(A)
    mode = rounding_of(specs["round"] if round is None else round)
    x = A.detach()
    if not specs["bfloat_subnorms"]:
        x = torch.where(x.abs() < float(fmt.smallest_normal), 0.0 * x, x)
    return quantize(x, fmt, mode, key=drawn_key() if find(mode).stochastic else None)


class _Rounding(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, specs: Specs, round: str) -> Tensor:
        ctx.how = get_backwards_mx_specs(specs), round
        return quantize_elemwise_op(x, specs, round).view_as(x)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return quantize_elemwise_op(grad, *ctx.how), None, None


def quantize_bfloat(x: Tensor, mx_specs: Specs | None, round: str | None = None) -> Tensor:
    """``quantize_elemwise_op`` of a tensor and of the gradient that comes back.

    Example:
        >>> x = torch.tensor([1.00390625], requires_grad=True)
        >>> quantize_bfloat(x, {"bfloat": 16})
        tensor([1.0078], grad_fn=<_RoundingBackward>)
    """
    if mx_specs is None:
        return x
    specs = apply_mx_specs(mx_specs)
    call: Any = _Rounding.apply
    found: Tensor = call(x, specs, specs["round"] if round is None else round)
    return found
