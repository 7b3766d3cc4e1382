"""The operators ``torch.ops.numformats.*`` and what they promise of shapes, for tracing.

Formats, roundings and scalings cross as text (``direction.py``), keys as int64 tensors
(``keys.py``), so that a compiled graph holds no objects and a counting key is no constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

from numformats.formats import BlockFloat
from numformats.torch import scaling
from numformats.torch.allocating import empty_like
from numformats.torch.direction import Direction, direction
from numformats.torch.keys import STEP, key_of
from numformats.torch.ranges import within
from numformats.torch.rounding import real_of, round_into, round_scaled

CARRIERS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


@torch.library.custom_op("numformats::quantize", mutates_args=())
def quantize(
    x: Tensor,
    scale: Tensor | None,
    key: Tensor | None,
    history: Tensor | None,
    forward: str,
    backward: str,
    clipped: bool,
) -> Tensor:
    """Round ``x / scale`` by ``forward`` and scale back; the gradient is rounded by ``backward``,
    scaled by the maxima in ``history``, and with ``clipped`` stops where ``x`` saturates."""
    how, x = direction(forward), x.detach()
    if how.fmt is None:
        return empty_like(x).copy_(x)
    draws = key_of(key) if key is not None and how.stochastic else None
    if scale is not None:
        return round_scaled(x, scale, how, draws)
    out = empty_like(x)
    round_into(out, x, how, draws)
    return out


@quantize.register_fake
def _(
    x: Tensor,
    scale: Tensor | None,
    key: Tensor | None,
    history: Tensor | None,
    forward: str,
    backward: str,
    clipped: bool,
) -> Tensor:
    return torch.empty_like(x)


@torch.library.custom_op("numformats::inside", mutates_args=())
def inside(x: Tensor, scale: Tensor | None, forward: str) -> Tensor:
    """Whether elements of ``x / scale`` round into the range of the format: bool, like ``x``."""
    fmt, x = direction(forward).fmt, x.detach()
    assert fmt is not None
    if x.numel() == 0:
        return torch.empty_like(x, dtype=torch.bool)
    if isinstance(fmt, BlockFloat):
        found = within(x, fmt, None if scale is None else scale.item())
    else:
        found = within(x if scale is None else x.to(real_of(x)) / scale.to(real_of(x)), fmt)
    return torch.empty_like(x, dtype=torch.bool).copy_(found)


@inside.register_fake
def _(x: Tensor, scale: Tensor | None, forward: str) -> Tensor:
    return torch.empty_like(x, dtype=torch.bool)


@torch.library.custom_op("numformats::amax_scale", mutates_args=())
def amax_scale(x: Tensor, how: str) -> Tensor:
    """The scales of ``x``, from its largest magnitudes: float32, 1 along axes that share one."""
    found = direction(how)
    largest = scaling.amax(x.detach(), found.axes)
    return scaling.scale_of(largest, found.limit, found.power_of_two)


@amax_scale.register_fake
def _(x: Tensor, how: str) -> Tensor:
    return x.new_empty(
        scaling.scales_shape(tuple(x.shape), direction(how).axes), dtype=torch.float32
    )


@torch.library.custom_op("numformats::delayed_scale", mutates_args=("history",))
def delayed_scale(x: Tensor, history: Tensor, how: str, record: bool) -> Tensor:
    """The scales from the maxima of earlier calls, ``history`` (calls, *kept axes); ``record``
    puts those of ``x`` first and drops the last."""
    found, x = direction(how), x.detach()
    shape = scaling.scales_shape(tuple(x.shape), found.axes)
    _check_history(x, history, found, shape)
    scale = scaling.scale_of(history.amax(0), found.limit, found.power_of_two).reshape(shape)
    if record:
        largest = scaling.amax(x, found.axes).to(history.dtype).reshape(history.shape[1:])
        if found.scaling is not None and found.scaling.reduce_amax:
            largest = scaling.over_ranks(largest.contiguous())
        history.copy_(torch.cat([largest[None], history[:-1]]))
    return scale


def _check_history(x: Tensor, history: Tensor, how: Direction, shape: list[int]) -> None:
    kept = scaling.kept_axes(how.axes, x.ndim)
    wanted = [shape[axis] for axis in kept]
    if list(history.shape[1:]) != wanted:
        raise ValueError(
            f"x has shape {tuple(x.shape)}, so {wanted} scales along its axes {kept}, and the "
            f"history has {list(history.shape[1:])}; write channels={tuple(wanted)}"
        )


@delayed_scale.register_fake
def _(x: Tensor, history: Tensor, how: str, record: bool) -> Tensor:
    shape = scaling.scales_shape(tuple(x.shape), direction(how).axes)
    return x.new_empty(shape, dtype=torch.float32)


@torch.library.custom_op("numformats::advance", mutates_args=("key",))
def advance(key: Tensor, steps: int) -> Tensor:
    """A copy of ``key`` (..., 4), whose step then grows by ``steps``."""
    now = key.clone()
    key.select(-1, STEP).add_(steps)
    return now


@advance.register_fake
def _(key: Tensor, steps: int) -> Tensor:
    return torch.empty_like(key)
