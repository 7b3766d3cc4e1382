"""What lies within the range of a format, for gradients that stop where values saturate."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import torch

import numformats as nf
from numformats.blocking import Geometry, geometry
from numformats.formats import BlockFloat, FixedPoint, Float

_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


def within(
    x: torch.Tensor, fmt: FixedPoint | Float | BlockFloat, tensor_scale: float | None = None
) -> torch.Tensor:
    """Whether elements round into the range: no more than half a gap beyond its ends; NaN counts
    as within. In block formats the scale of each element's block counts; of two-level ones, that
    of the whole tensor may be given."""
    if isinstance(fmt, BlockFloat):
        return _within_blocks(x, fmt, tensor_scale)
    wide = x if x.dtype in _NUMPY else x.float()
    low, high = _ends(fmt, wide.dtype)
    return (wide < low).logical_or_(wide > high).logical_not_()


def _within_blocks(x: torch.Tensor, fmt: BlockFloat, tensor_scale: float | None) -> torch.Tensor:
    given = x if fmt.scale.has_nan else torch.where(x.isfinite(), x, torch.zeros_like(x))
    codes = nf.encode(given, fmt, tensor_scale=tensor_scale)
    scale = nf.decode(codes.scales, fmt.scale, dtype=np.float64)
    scale = scale * (codes.tensor_scale if fmt.tensor_scale else 1.0)
    found, wide = geometry(fmt, tuple(x.shape)), x if x.dtype in _NUMPY else x.float()
    five = scale.reshape(found.scales_shape)
    low, high = (five * end for end in _ends(fmt.element, torch.float64))
    low, high = -_floors(-low, wide.dtype), _floors(high, wide.dtype)
    (a, n1, b, n2, c), (first, second) = found.shape, found.tile
    if n1 % first or n2 % second:
        low, high = (_spread(end, found).reshape(x.shape) for end in (low, high))
    else:
        wide = wide.reshape(a, n1 // first, first, b, n2 // second, second, c)
        low, high = (end[:, :, None, :, :, None] for end in (low, high))
    beyond: torch.Tensor = (wide < low).logical_or_(wide > high)
    return beyond.logical_not_().reshape(x.shape)


def _spread(ends: torch.Tensor, found: Geometry) -> torch.Tensor:
    """One number a block, repeated over the block's elements."""
    (_, n1, _, n2, _), (first, second) = found.shape, found.tile
    return ends.repeat_interleave(first, 1)[:, :n1].repeat_interleave(second, 3)[:, :, :, :n2]


def _floors(values: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """The largest ``dtype`` up to each of float64 ``values``."""
    near = values.to(dtype)
    below = torch.nextafter(near, torch.full_like(near, -torch.inf))
    return torch.where(near.double() > values, below, near)


@cache
def _ends(fmt: FixedPoint | Float, dtype: torch.dtype) -> tuple[float, float]:
    """The ends of the range, half a gap further out, as the nearest ``dtype`` further in."""
    top = Fraction(fmt.max) + _gap(fmt, Fraction(fmt.max)) / 2
    bottom = Fraction(fmt.min) - _gap(fmt, Fraction(fmt.min)) / 2
    return -_floor(-bottom, dtype), _floor(top, dtype)


def _gap(fmt: FixedPoint | Float, at: Fraction) -> Fraction:
    if isinstance(fmt, FixedPoint):
        return fmt.quantum
    if abs(at) != fmt.exact_max:
        return Fraction(fmt.smallest)  # below the zero of an unsigned format
    return Fraction(2) ** (max(fmt.emax, fmt.emin) - fmt.man_bits)


def _floor(value: Fraction, dtype: torch.dtype) -> float:
    """The largest finite ``dtype`` up to ``value``."""
    kind: Any = _NUMPY[dtype]
    most = Fraction(float(np.finfo(kind).max))
    value = max(min(value, most), -most)
    nearest = kind(float(value))
    if Fraction(float(nearest)) > value:
        nearest = np.nextafter(nearest, kind("-inf"))
    return float(nearest)
