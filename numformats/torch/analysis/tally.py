"""The error of rounding, summed over many tensors."""

from __future__ import annotations

import math

import torch

from numformats.formats import BlockFloat, Format
from numformats.torch.quantizing import quantize
from numformats.torch.ranges import within
from numformats.torch.scaling import AmaxScaling, amax, scale_of


class Tally:
    """What rounding to ``fmt`` does to the elements that were added, in float64.

    NaN and Inf count in ``non_finite`` only.
    """

    def __init__(self, fmt: Format, rounding: str, scaling: AmaxScaling | None) -> None:
        self.fmt, self.rounding = fmt, rounding
        self.scaling = None if isinstance(fmt, BlockFloat) else scaling
        self.elements = self.saturations = self.flushes = self.non_finites = 0
        self.signal = self.noise = self.max_relative = 0.0

    def add(self, x: torch.Tensor) -> None:
        """Round ``x`` (floating point, any shape) and count."""
        x = x.detach()
        if x.numel() == 0:
            return
        new = quantize(x, self.fmt, self.rounding, scaling=self.scaling).double()
        exact, good = x.double(), x.isfinite() & new.isfinite()
        noise = torch.where(good, (new - exact).abs(), 0.0)
        nonzero = good & (x != 0)
        self.elements += x.numel()
        self.non_finites += int((~x.isfinite()).sum())
        self.saturations += int((~within(self._scaled(x), self.fmt) & x.isfinite()).sum())
        self.flushes += int((nonzero & (new == 0)).sum())
        self.signal += float((torch.where(good, exact, 0.0) ** 2).sum())
        self.noise += float((noise**2).sum())
        if bool(nonzero.any()):
            largest = float((noise[nonzero] / exact[nonzero].abs()).amax())
            self.max_relative = max(self.max_relative, largest)

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        if self.scaling is None or isinstance(self.fmt, BlockFloat):
            return x
        limit = self.scaling.limit or float(self.fmt.max)
        scale = scale_of(amax(x, self.scaling.axes), limit, self.scaling.power_of_two)
        return x.to(torch.promote_types(x.dtype, torch.float32)) / scale

    @property
    def sqnr(self) -> float:
        """Signal to quantization noise, dB; inf where rounding changed nothing."""
        if self.noise == 0:
            return math.inf
        return 10 * math.log10(self.signal / self.noise) if self.signal else -math.inf

    def share(self, count: int) -> float:
        """``count`` of all elements; NaN without any."""
        return count / self.elements if self.elements else math.nan
