"""How a tensor is scaled before it is rounded: one float32 scale a tensor or a channel, from the
largest magnitude of this call or of the last ones."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import distributed

from numformats.accelerators.scaling import HIGHEST, LOWEST, check_limit
from numformats.checks import flag, integer


@dataclass(frozen=True)
class AmaxScaling:
    """Elements are rounded as x / scale and scaled back, with ``scale = amax / limit``; two-level
    formats (NVFP4) take it as their scale of the whole tensor.

    amax is the largest finite magnitude among the elements that share the scale; where it is 0, the
    scale is 1. The quotient, in float64 of float64 tensors, is rounded to a normal float32; the
    largest and smallest of these stand for scales beyond.

    Args:
        axis: None for one scale a tensor; an axis (or several) whose every index has its own.
        history: 0 takes amax of this call (dynamic); n > 0 the largest of the n calls before it
            (delayed), 0 before the first.
        channels: with ``history`` and ``axis``: the size of each of these axes.
        limit: the magnitude that amax is mapped to; by default the largest value of the format
            (2688 of NVFP4).
        power_of_two: round the scale up to a power of two.
        reduce_amax: with ``history``: record the largest of all ranks of the default process group,
            where there is one; every rank must make the same calls.

    Raises:
        TypeError, ValueError: values that make no sense, ``channels`` without need.

    Example:
        >>> AmaxScaling(axis=0, power_of_two=True).words
        'one scale each index of axis 0, from amax of the call, rounded up to a power of two'

    Reference: ``numformats.accelerators.Scaling`` (the same rule); delayed scaling as in NVIDIA's
    Transformer Engine, without its margin; ``reduce_amax`` is its option, too.
    """

    axis: int | tuple[int, ...] | None = None
    history: int = field(default=0, kw_only=True)
    channels: int | tuple[int, ...] | None = field(default=None, kw_only=True)
    limit: float | None = field(default=None, kw_only=True)
    power_of_two: bool = field(default=False, kw_only=True)
    reduce_amax: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        for axis in self.axes:
            integer("axis", axis, -32, 31)
        integer("history", self.history, 0, 1 << 20)
        flag("power_of_two", self.power_of_two)
        flag("reduce_amax", self.reduce_amax)
        for size in self.sizes:
            integer("channels", size, 1, 1 << 40)
        if len(self.sizes) != (len(self.axes) if self.history else 0):
            raise ValueError(
                f"axis={self.axis!r}, history={self.history}, channels={self.channels!r}: a "
                "history of scales along axes needs the size of each, for example axis=1, "
                "history=16, channels=64; leave channels out otherwise"
            )
        if self.limit is not None:
            check_limit("limit", self.limit)

    @property
    def axes(self) -> tuple[int, ...]:
        """Axes that keep a scale for each index."""
        if self.axis is None:
            return ()
        return self.axis if isinstance(self.axis, tuple) else (self.axis,)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Lengths of these axes, as far as they were given."""
        if self.channels is None:
            return ()
        return self.channels if isinstance(self.channels, tuple) else (self.channels,)

    @property
    def words(self) -> str:
        """What happens, in words."""
        text = "one scale a tensor"
        if self.axes:
            names = ", ".join(map(str, self.axes))
            text = f"one scale each index of ax{'is' if len(self.axes) == 1 else 'es'} {names}"
        calls = f"last {self.history} calls" if self.history else "call"
        text += f", from amax of the {calls}" + (" on all ranks" if self.reduce_amax else "")
        if self.limit is not None:
            text += f", mapped to {self.limit:g}"
        return text + (", rounded up to a power of two" if self.power_of_two else "")


def kept_axes(axes: tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """``axes`` from 0, ascending.

    Raises:
        ValueError: an axis that the tensor lacks, or one that is named twice.
    """
    for axis in axes:
        if not -ndim <= axis < ndim:
            allowed = f"write an axis in [{-ndim}, {ndim - 1}]" if ndim else "write axis=None"
            raise ValueError(f"scaling has axis={axis}, x has {ndim} dimensions; {allowed}")
    found = tuple(sorted(axis % ndim for axis in axes))
    if len(set(found)) < len(found):
        raise ValueError(f"scaling names an axis of {ndim} dimensions twice: axis={axes}")
    return found


def scales_shape(shape: tuple[int, ...], axes: tuple[int, ...]) -> list[int]:
    """Shape of the scales of a tensor of ``shape``: 1 along every axis that shares one."""
    kept = kept_axes(axes, len(shape))
    return [size if axis in kept else 1 for axis, size in enumerate(shape)]


def amax(x: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
    """The largest finite magnitude among elements that share a scale: float32 (float64 where ``x``
    is), ``scales_shape``."""
    kept, shape = kept_axes(axes, x.ndim), scales_shape(tuple(x.shape), axes)
    real = torch.promote_types(x.dtype, torch.float32)
    if x.numel() == 0:
        return x.new_zeros(shape, dtype=real)
    shared = [axis for axis in range(x.ndim) if axis not in kept]
    if x.device.type == "cpu":  # elsewhere the question would wait for the device
        most = _largest(x, shared)
        if bool(most.isfinite().all()):
            return most.to(real)
    finite = torch.where(x.isfinite(), x, torch.zeros((), dtype=x.dtype, device=x.device))
    return _largest(finite, shared).to(real)


def over_ranks(largest: torch.Tensor) -> torch.Tensor:
    """The largest of all ranks of the default process group, in place; without one, as it is."""
    if distributed.is_available() and distributed.is_initialized():
        distributed.all_reduce(largest, distributed.ReduceOp.MAX)
    return largest


def _largest(x: torch.Tensor, axes: list[int]) -> torch.Tensor:
    if not axes:  # an empty list means all of them
        return x.abs()
    return torch.maximum(x.amax(axes, keepdim=True), x.amin(axes, keepdim=True).neg())


def scale_of(largest: torch.Tensor, limit: float, power_of_two: bool) -> torch.Tensor:
    """The float32 scales for ``largest``; the rule of ``numformats.accelerators.Scaling``."""
    # divided by a tensor: CUDA multiplies by the reciprocal of a number
    scale = largest / torch.full_like(largest, limit)
    scale = torch.clamp(scale, float(LOWEST), float(HIGHEST)).to(torch.float32)
    if power_of_two:
        bits = torch.clamp(scale, max=2.0**127).view(torch.int32)
        scale = ((bits + 0x7FFFFF) & ~0x7FFFFF).view(torch.float32)
    return torch.where(largest > 0, scale, torch.ones_like(scale))
