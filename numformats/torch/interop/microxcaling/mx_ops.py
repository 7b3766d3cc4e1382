"""Rounding to MX blocks: the calls of ``mx.mx_ops``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from numformats.rounding import find
from numformats.torch.checking import check_tensor
from numformats.torch.interop.drawing import drawn_key
from numformats.torch.interop.microxcaling.elements import block_of, rounding_of
from numformats.torch.interop.microxcaling.specs import Specs, checked_specs
from numformats.torch.quantizing import quantize

SMALLEST_NORMAL = 2.0**-126  #: of float32


def quantize_mx_op(
    A: Tensor,
    mx_specs: Specs,
    elem_format: Any = None,
    block_size: int | None = None,
    axes: int | Sequence[int] | None = None,
    round: str = "nearest",
    expand_and_reshape: bool = False,
) -> Tensor:
    """Round to blocks with a shared scale, as ``mx_specs`` says.

    Args:
        A: float tensor of any shape.
        mx_specs: ``scale_bits``, ``block_size``, ``shared_exp_method``, ``mx_flush_fp32_subnorms``
            count.
        elem_format: name of the elements, such as ``"fp8_e4m3"``; None leaves the values.
        block_size: that of ``mx_specs`` by default; 0: the whole axis.
        axes: the axis along which blocks run, or several.
        round: ``"nearest"`` (ties away from zero), ``"even"``, ``"floor"`` (toward zero) or
            ``"dither"`` (stochastic).
        expand_and_reshape: has no meaning there either; must be False.

    Returns:
        Same shape, dtype and device as ``A``, outside of any graph. Promise: the bits of
        ``nf.quantize`` with ``nf.BlockFloat``; what differs from microxcaling is in
        ``docs/migrating.md``.

    Raises:
        TypeError, ValueError: no float tensor; no axes; unknown names and keys.

    Example:
        >>> x = torch.tensor([485.0, 400.0, 2.0**-6])
        >>> quantize_mx_op(x, {}, "fp8_e4m3", block_size=3, axes=[-1]).tolist()
        [448.0, 416.0, 0.015625]

    Reference: OCP Microscaling Formats (MX) 1.0, section 6.3.
    """
    if expand_and_reshape:
        raise ValueError("expand_and_reshape=True has no meaning; leave it out")
    if mx_specs is None:
        raise TypeError("mx_specs is None; write a dictionary, such as {'block_size': 32}")
    found = checked_specs(mx_specs)
    return _quantize_mx(
        A, found["scale_bits"], elem_format, found["shared_exp_method"], axes,
        found["block_size"] if block_size is None else block_size, round,
        found["mx_flush_fp32_subnorms"],
    )  # fmt: skip


def _quantize_mx(
    A: Tensor,
    scale_bits: int,
    elem_format: Any,
    shared_exp_method: str = "max",
    axes: int | Sequence[int] | None = None,
    block_size: int = 0,
    round: str = "nearest",
    flush_fp32_subnorms: bool = False,
    custom_cuda: bool = False,
) -> Tensor:
    """As ``quantize_mx_op``, with every option an argument."""
    if elem_format is None:
        return A
    check_tensor(A)
    several = [axes] if isinstance(axes, int) else list(axes or ())
    if not several:
        raise ValueError("axes is missing; write the axis along which blocks run, such as axes=-1")
    fmt = block_of(elem_format, block_size, several, scale_bits, shared_exp_method)
    mode, x = rounding_of(round), A.detach()
    if flush_fp32_subnorms:
        size = 1 if shared_exp_method == "none" else block_size
        x = torch.where(_largest(x, size, several) < SMALLEST_NORMAL, 0.0 * x, x)
    return quantize(x, fmt, mode, key=drawn_key() if find(mode).stochastic else None)


def _largest(x: Tensor, block_size: int, axes: Sequence[int]) -> Tensor:
    """The largest magnitude of the block of each element."""
    found = x.abs()
    for axis in axes:
        rows = found.movedim(axis, -1)
        length = rows.shape[-1]
        size = block_size or max(length, 1)
        padded = torch.nn.functional.pad(rows, (0, -length % size))
        tiles = padded.reshape(*padded.shape[:-1], padded.shape[-1] // size, size)
        spread = tiles.amax(-1, keepdim=True).expand(tiles.shape).flatten(-2)
        found = spread[..., :length].movedim(-1, axis)
    return found
