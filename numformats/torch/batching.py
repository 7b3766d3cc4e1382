"""``torch.func.vmap`` of the operators: one call for the whole batch where it gives what one call a
sample gives, else one call a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from numformats.blocking import moved
from numformats.formats import BlockFloat, Format
from numformats.torch import ops
from numformats.torch.direction import Direction, direction
from numformats.torch.scaling import kept_axes

Dims = tuple[int | None, ...]


def quantize(
    call: Callable[..., Tensor], info: Any, in_dims: Dims, *args: Any
) -> tuple[Tensor, int]:
    """``call`` of a batch: ``ops.quantize``, or what gives it a gradient."""
    x, scale, key, history, *texts, clipped = args
    ways = [direction(text) for text in texts]
    random = any(way.stochastic for way in ways)
    if random and info.randomness == "error":
        raise RuntimeError(
            "vmap: stochastic rounding draws random bits; write vmap(..., randomness='different') "
            "for other bits in each sample, or 'same'"
        )
    shared = all(dim is None for dim in in_dims[2:])
    if not shared or (random and info.randomness == "same") or not _joins(in_dims, x, ways):
        return _one_by_one(call, info, in_dims, args), 0
    texts = [_batched(way, x.ndim - 1).text for way in ways]
    parts = (_front(x, in_dims[0]), _front(scale, in_dims[1]), key, history, *texts, clipped)
    return call(*parts), 0


def _inside(info: Any, in_dims: Dims, *args: Any) -> tuple[Tensor, int | None]:
    x, scale, text = args
    way = direction(text)
    if not _joins(in_dims, x, [way]):
        return _one_by_one(ops.inside, info, in_dims, args), 0
    whole = _front(x, in_dims[0]), _front(scale, in_dims[1])
    return ops.inside(*whole, _batched(way, x.ndim - 1).text), 0


def _amax_scale(info: Any, in_dims: Dims, x: Tensor, text: str) -> tuple[Tensor, int | None]:
    way = _batched(direction(text), x.ndim - 1)
    return ops.amax_scale(_front(x, in_dims[0]), way.text), 0


def _delayed_scale(info: Any, in_dims: Dims, *args: Any) -> tuple[Tensor, int | None]:
    """A history that the batch shares sees the largest of the whole batch."""
    x, history, text, record = args
    if in_dims[1] is not None:
        return _one_by_one(ops.delayed_scale, info, in_dims, args), 0
    way = direction(text)
    shared = way.with_axes(_shifted(kept_axes(way.axes, x.ndim - 1))).text
    return ops.delayed_scale(_front(x, in_dims[0]), history, shared, record)[0], None


def _advance(info: Any, in_dims: Dims, key: Tensor, steps: int) -> tuple[Tensor, int | None]:
    return ops.advance(_front(key, in_dims[0]), steps), None if in_dims[0] is None else 0


def _front(x: Any, dim: int | None) -> Any:
    return x if dim is None else x.movedim(dim, 0)


def _shifted(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(map(_behind, axes))


def _behind(axis: int) -> int:
    """Where an axis of a sample is with the batch in front."""
    return axis if axis < 0 else axis + 1


def _joins(in_dims: Dims, x: Tensor, ways: list[Direction]) -> bool:
    """Whether one call for the batch knows its samples apart."""
    blocks = [way.fmt for way in ways if isinstance(way.fmt, BlockFloat)]
    tellable = x.ndim > 1 and not any(fmt.tensor_scale or fmt.axis is None for fmt in blocks)
    return in_dims[0] is not None and (not blocks or tellable)


def _batched(way: Direction, ndim: int) -> Direction:
    """``way`` of samples with ``ndim`` dimensions, for tensors with the batch in front."""
    if way.scaling is not None:
        way = way.with_axes((0, *_shifted(kept_axes(way.axes, ndim))))
    return replace(way, fmt=_format(way.fmt))


def _format(fmt: Format | None) -> Format | None:
    return moved(fmt, _behind) if isinstance(fmt, BlockFloat) else fmt


def _one_by_one(op: Callable[..., Tensor], info: Any, in_dims: Dims, args: Any) -> Tensor:
    samples = [
        [arg if dim is None else arg.select(dim, i) for arg, dim in zip(args, in_dims, strict=True)]
        for i in range(info.batch_size)
    ]
    return torch.stack([op(*sample) for sample in samples])


for _op, _rule in (
    (ops.inside, _inside),
    (ops.amax_scale, _amax_scale),
    (ops.delayed_scale, _delayed_scale),
    (ops.advance, _advance),
):
    _op.register_vmap(_rule)
