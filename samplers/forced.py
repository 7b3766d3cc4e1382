"""The variance that a grid forces on unbiased draws: that of rounding to the two neighbours."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

import numformats as nf
from numformats.blocking import Geometry, geometry
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
    if not isinstance(fmt, nf.BlockFloat):
        return _between_neighbours(mean.clone(), fmt)
    if not mean.numel():
        return torch.zeros_like(mean)
    g = geometry(fmt, tuple(mean.shape))
    blocks = _in_blocks(mean, g)
    tops = blocks.abs().amax((2, 5), keepdim=True).double()
    scales = _block_scales(tops + REACH * math.sqrt(variance), fmt)
    parts = _between_neighbours(blocks / scales, fmt.element)  # in float64
    return _out_of_blocks(parts.mul_(scales).mul_(scales), g).to(mean.dtype).reshape(mean.shape)


def _between_neighbours(x: torch.Tensor, fmt: nf.Format) -> torch.Tensor:
    """As ``forced_variance`` on a grid without scales; ``x`` is overwritten."""
    if isinstance(fmt, nf.FixedPoint):
        position = x.mul_(2.0**fmt.frac_bits)
        low = position.floor()
        part = position.sub_(low)
        rest = torch.sub(x.new_ones(()), part, out=low)
        return rest.mul_(part).mul_(4.0**-fmt.frac_bits)
    low, high = (nf.quantize(x, fmt, f"toward_{side}") for side in ("negative", "positive"))
    return torch.as_tensor(x - low).mul_(high.sub_(x)).clamp_(min=0)


def _in_blocks(x: torch.Tensor, g: Geometry) -> torch.Tensor:
    """``x`` as (a, m1, t1, b, m2, t2, c), every tile along axes 2 and 5, filled up with zeros."""
    (a, n1, b, n2, c), (t1, t2), (_, m1, _, m2, _) = g.shape, g.tile, g.scales_shape
    five, over = x.reshape(g.shape), (m1 * t1 - n1, m2 * t2 - n2)
    if any(over):
        five = torch.nn.functional.pad(five, (0, 0, 0, over[1], 0, 0, 0, over[0]))
    return five.reshape(a, m1, t1, b, m2, t2, c)


def _out_of_blocks(x: torch.Tensor, g: Geometry) -> torch.Tensor:
    a, m1, t1, b, m2, t2, c = x.shape
    return x.reshape(a, m1 * t1, b, m2 * t2, c)[:, : g.shape[1], :, : g.shape[3]]


def _block_scales(reach: torch.Tensor, fmt: nf.BlockFloat) -> torch.Tensor:
    """The scales of draws in blocks whose farthest magnitudes are ``reach``, in its shape."""
    single = replace(fmt, block_size=1, axis=-1)
    coded = nf.encode(reach.reshape(-1), single)
    one = nf.encode(torch.ones((), dtype=torch.float64), fmt.element)
    ones = torch.full_like(coded.codes, int(one))
    unit = float(nf.decode(one, fmt.element))
    found = torch.as_tensor(nf.decode(coded._replace(codes=ones), single)).double() / unit
    return found.reshape(reach.shape)
