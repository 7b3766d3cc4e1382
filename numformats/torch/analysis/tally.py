"""The error of rounding tensors, summed over many of them."""

from __future__ import annotations

import math
from typing import Any

import torch

from numformats import measuring
from numformats.formats import BlockFloat, Format
from numformats.torch.quantizing import quantize
from numformats.torch.ranges import within
from numformats.torch.scaling import AmaxScaling, amax, scale_of


class Tally(measuring.Tally):
    """What rounding to ``fmt``, scaled or not, does to the tensors that were observed. Saturated is
    what rounds to beyond the range; NaN and Inf count in ``non_finite`` only."""

    def __init__(self, fmt: Format, rounding: str, scaling: AmaxScaling | None) -> None:
        super().__init__(fmt)
        self.rounding = rounding
        self.scaling = None if isinstance(fmt, BlockFloat) else scaling

    def observe(self, x: torch.Tensor) -> None:
        """Round ``x`` (floating point, any shape) and count."""
        x = x.detach()
        self.add(x.cpu(), quantize(x, self.fmt, self.rounding, scaling=self.scaling).cpu())

    def beyond(self, x: Any) -> int:
        """How many finite elements round to beyond the range."""
        return int((~within(self._scaled(x), self.fmt) & x.isfinite()).sum())

    def _scaled(self, x: torch.Tensor) -> torch.Tensor:
        if self.scaling is None or isinstance(self.fmt, BlockFloat):
            return x
        limit = self.scaling.limit or float(self.fmt.max)
        scale = scale_of(amax(x, self.scaling.axes), limit, self.scaling.power_of_two)
        return x.to(torch.promote_types(x.dtype, torch.float32)) / scale

    @property
    def sqnr(self) -> float:
        """As everywhere; NaN where nothing finite was seen."""
        return super().sqnr if self.elements > self.non_finite else math.nan

    def share(self, count: int) -> float:
        """``count`` of all elements; NaN without any."""
        return count / self.elements if self.elements else math.nan
