"""Velocities in few bits: rounded or drawn in units of a power of two, at most 1, for each tensor;
those beyond the format's own range are clipped, and counted."""

from __future__ import annotations

from typing import NamedTuple

import torch

import numformats as nf
from numformats.underdamped_tasks import velocity_scale
from samplers.precision import Precision, resolve, saturated
from samplers.steps import quantize


class Velocity(NamedTuple):
    """A velocity on the grid ``scale``·fmt, and what the grid could not do."""

    value: torch.Tensor
    scale: float
    deficit: int | torch.Tensor = 0
    saturated: int | torch.Tensor = 0


def round_velocity(exact: torch.Tensor, precision: Precision, key: nf.Key) -> Velocity:
    """Q(exact), scaled down so far that the largest element just fits."""
    scale = velocity_scale(_top(exact), 0.0, precision.weight)
    parts = _times(exact, 1 / scale)
    value = _times(quantize(parts, precision.weight, precision.rounding, key), scale)
    return Velocity(value, scale, saturated=saturated(parts, precision.weight))


def draw_velocity(
    mean: torch.Tensor, variance: torch.Tensor, precision: Precision, key: nf.Key
) -> Velocity:
    """Q^vc(mean, variance), scaled down so far that every draw just fits."""
    scale = velocity_scale(_top(mean), _top(variance), precision.weight)
    drawn, counts = nf.variance_corrected(
        _times(mean, 1 / scale),
        _times(_times(variance, 1 / scale), 1 / scale),
        resolve(precision.weight, tuple(mean.shape)),
        key=key,
        return_counts=True,
    )
    return Velocity(_times(drawn, scale), scale, counts.deficit, counts.saturated)


def _times(x: torch.Tensor, power: float) -> torch.Tensor:
    """``x`` times a power of two."""
    return x if power == 1 else x * power


def _top(x: torch.Tensor) -> float:
    """The largest magnitude."""
    low, high = torch.aminmax(x) if x.numel() else (x.new_zeros(()),) * 2
    return float(torch.maximum(-low, high))
