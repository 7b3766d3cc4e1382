"""Rounding a tensor's memory: in the order that suits it, and in pieces where it is scaled."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import torch
from torch import Tensor

import numformats as nf
from numformats.formats import BlockFloat
from numformats.random import Key
from numformats.torch.allocating import empty_like
from numformats.torch.direction import Direction

PIECE = 1 << 19  #: elements that stay in a cache between division, rounding and product


def round_into(
    out: Tensor, x: Tensor, how: Direction, key: Key | None, tensor_scale: float | None = None
) -> None:
    """Write ``x`` rounded into ``out``; in a two-level format perhaps with a ``tensor_scale``."""
    assert how.fmt is not None
    ordered = how.stochastic or isinstance(how.fmt, BlockFloat)
    if not ordered and not x.is_contiguous() and x.stride() == out.stride():
        order = sorted(range(x.ndim), key=x.stride, reverse=True)
        x, out = x.permute(order), out.permute(order)
    bits = how.random_bits
    nf.quantize(
        x, how.fmt, how.rounding, key=key, random_bits=bits, tensor_scale=tensor_scale, out=out
    )


def round_scaled(x: Tensor, scale: Tensor, how: Direction, key: Key | None) -> Tensor:
    """``x / scale`` rounded, times ``scale``: in float32, or float64 where ``x`` is; then its
    dtype. Blocks take it as the scale of the whole tensor."""
    out, real, at = empty_like(x), real_of(x), 0
    if isinstance(how.fmt, BlockFloat):
        round_into(out, x, how, key, scale.item())
        return out
    for part, result, level in _pieces(x, out, scale.to(real)):
        wide = torch.empty_like(part, dtype=real)
        torch.div(part.to(real), level, out=wide)
        # not in place: that loop does not vectorise
        direct = result.dtype == real and result.stride() == wide.stride()
        rounded = result if direct else torch.empty_like(wide)
        round_into(rounded, wide, how, key and key.at(key.start + at))
        rounded.mul_(level)
        if not direct:
            result.copy_(rounded)
        at += part.numel()
    return out


def _pieces(x: Tensor, out: Tensor, scale: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Parts along the first axis, or of the flat memory where all share one scale."""
    if not x.is_contiguous() or x.device.type != "cpu":
        yield x, out, scale
        return
    if scale.numel() == 1:
        x, out, scale = x.reshape(-1), out.reshape(-1), scale.reshape(())
    rows = max(1, PIECE // max(x[:1].numel(), 1))
    each = scale.ndim == x.ndim and scale.shape[0] > 1
    levels = torch.split(scale, rows) if each else repeat(scale)
    yield from zip(torch.split(x, rows), torch.split(out, rows), levels)  # noqa: B905 - repeat has no end


def real_of(x: Tensor) -> torch.dtype:
    """The dtype in which values of ``x`` are scaled."""
    return torch.float64 if x.dtype == torch.float64 else torch.float32
