"""The variance that a grid forces on unbiased draws: that of rounding to the two neighbours."""

from __future__ import annotations

import math

import torch

import numformats as nf
from numformats.underdamped_tasks import REACH


def forced_variance(mean: torch.Tensor, variance: float, fmt: nf.Format) -> torch.Tensor:
    """(mean - low)·(high - mean), with low and high the neighbours of ``mean`` on the grid.

    ``numformats.variance_corrected`` draws with the larger of this and ``variance``.

    Args:
        mean: float32 or float64, any shape.
        variance: of the draw; blocks choose scales that cover it.
        fmt: a numformats format.

    Returns:
        Like ``mean``; 0 on the grid. Beyond the range it means nothing.
    """
    if isinstance(fmt, nf.BlockFloat):
        scales = _block_scales(mean.double().abs() + REACH * math.sqrt(variance), fmt)
        parts = _between_neighbours(mean.double() / scales, fmt.element)
        return parts.mul_(scales).mul_(scales).to(mean.dtype)
    return _between_neighbours(mean, fmt)


def _between_neighbours(x: torch.Tensor, fmt: nf.Format) -> torch.Tensor:
    if isinstance(fmt, nf.FixedPoint):
        position = x * 2.0**fmt.frac_bits
        part = position.sub_(position.floor())
        return (1 - part).mul_(part).mul_(4.0**-fmt.frac_bits)
    low, high = (nf.quantize(x, fmt, f"toward_{side}") for side in ("negative", "positive"))
    return torch.as_tensor(x - low).mul_(high - x).clamp_(min=0)


def _block_scales(reach: torch.Tensor, fmt: nf.BlockFloat) -> torch.Tensor:
    """The scale of each element that a draw reaching as far as ``reach`` chooses."""
    coded = nf.encode(reach, fmt)
    one = nf.encode(torch.ones((), dtype=torch.float64), fmt.element)
    ones = torch.full_like(coded.codes, int(one))
    unit = float(nf.decode(one, fmt.element))
    return torch.as_tensor(nf.decode(coded._replace(codes=ones), fmt)).double() / unit
