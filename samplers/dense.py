"""A tensor on the grid of a format as packed codes, and back, bit for bit."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

import numformats as nf
from numformats.blocking import scales_shape
from samplers.checks import FLOATS
from samplers.precision import parse_format, resolve

Parts = dict[str, torch.Tensor]
_BITS = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def dense(tensor: torch.Tensor, fmt: Any) -> Parts | None:
    """The parts that `loose` turns back into the bits of ``tensor``.

    Args:
        tensor: any float dtype and shape, on the CPU.
        fmt: its format; a numformats format or a ``PerChannel``.

    Returns:
        uint8 ``codes``, for blocks ``scales`` and ``tensor_scale``. Elements that the codes do not
        give back (off the grid, -0, or in a block whose scale follows from other elements now)
        stand aside in ``patch_at`` and ``patch``. None where that takes no less room than the
        tensor itself. Promise: exact.
    """
    if tensor.dtype not in FLOATS:
        return None
    concrete = resolve(fmt, tuple(tensor.shape))
    try:
        parts = _pack(nf.encode(tensor, concrete), concrete)
    except ValueError:  # NaN without a code, or blocks that do not divide
        return None
    back = _values(parts, concrete, tuple(tensor.shape), tensor.dtype)
    wrong = (_bits(back) != _bits(tensor)).flatten().nonzero()[:, 0]
    if len(wrong):
        narrow = torch.int32 if tensor.numel() < 2**31 else torch.int64
        parts["patch_at"], parts["patch"] = wrong.to(narrow), tensor.flatten()[wrong]
    return parts if _bytes(parts.values()) < _bytes([tensor]) else None


def packed_bytes(shape: tuple[int, ...], fmt: Any) -> int:
    """Bytes of the codes and scales of a tensor on the grid of ``fmt``.

    Args:
        shape: of the tensor.
        fmt: its format; a numformats format or a ``PerChannel``.

    Example:
        >>> packed_bytes((4, 64), "mxfp4"), packed_bytes((4, 64), "perchannel<8>")
        (136, 260)
    """
    concrete = resolve(parse_format(fmt) if isinstance(fmt, str) else fmt, shape)
    return _bytes(_pack(nf.encode(torch.zeros(shape), concrete), concrete).values())


def loose(parts: Parts, fmt: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """The tensor that `dense` took apart."""
    values = _values(parts, resolve(parse_format(fmt), shape), shape, dtype)
    if "patch" in parts:
        values.view(-1)[parts["patch_at"].long()] = parts["patch"]
    return values


def _pack(codes: Any, fmt: Any) -> Parts:
    if not isinstance(fmt, nf.BlockFloat):
        return {"codes": nf.pack(codes, fmt)}
    parts = {"codes": nf.pack(codes.codes, fmt), "scales": nf.pack(codes.scales, fmt.scale)}
    if fmt.tensor_scale:
        parts["tensor_scale"] = torch.tensor([codes.tensor_scale], dtype=torch.float64)
    return parts


def _values(parts: Parts, fmt: Any, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    codes = nf.unpack(parts["codes"], fmt, shape)
    if isinstance(fmt, nf.BlockFloat):
        scales = nf.unpack(parts["scales"], fmt.scale, scales_shape(fmt, shape))
        codes = (
            nf.ScaledBlockCodes(codes, scales, float(parts["tensor_scale"]))
            if fmt.tensor_scale
            else nf.BlockCodes(codes, scales)
        )
    values: torch.Tensor = nf.decode(codes, fmt)
    return values.to(dtype)


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.contiguous().view(_BITS[tensor.itemsize])


def _bytes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.nbytes for tensor in tensors)
