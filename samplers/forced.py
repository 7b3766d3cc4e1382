"""The variance that a grid forces on unbiased draws: that of rounding to the two neighbours."""

from __future__ import annotations

import torch

import numformats as nf

REACH = 6.34  #: no normal of ``numformats.random`` is larger


def forced_variance(mean: torch.Tensor, variance: torch.Tensor, fmt: nf.Format) -> torch.Tensor:
    """(mean - low)·(high - mean), with low and high the neighbours of ``mean`` on the grid.

    ``numformats.variance_corrected`` draws with the larger of this and ``variance``.

    Args:
        mean: float32 or float64, any shape.
        variance: of the draw, same shape; blocks choose scales that cover it.
        fmt: a numformats format.

    Returns:
        float64, the shape of ``mean``; 0 on the grid. Beyond the range it means nothing.
    """
    wide, unit = mean.double(), torch.ones((), dtype=torch.float64)
    if isinstance(fmt, nf.BlockFloat):
        unit = _block_scales(wide.abs().add(variance.sqrt(), alpha=REACH), fmt)
        wide, fmt = wide / unit, fmt.element
    if isinstance(fmt, nf.FixedPoint):
        position = wide * 2.0**fmt.frac_bits
        part = position - position.floor()
        return part * (1 - part) * (unit * 2.0**-fmt.frac_bits) ** 2
    low, high = (nf.quantize(wide, fmt, f"toward_{side}") for side in ("negative", "positive"))
    return torch.as_tensor((wide - low) * (high - wide) * unit**2).clamp_(min=0)


def _block_scales(reach: torch.Tensor, fmt: nf.BlockFloat) -> torch.Tensor:
    """The scale of each element that a draw reaching as far as ``reach`` chooses."""
    coded = nf.encode(reach, fmt)
    one = nf.encode(torch.ones((), dtype=torch.float64), fmt.element)
    ones = torch.full_like(coded.codes, int(one))
    unit = float(nf.decode(one, fmt.element))
    return torch.as_tensor(nf.decode(coded._replace(codes=ones), fmt)).double() / unit
