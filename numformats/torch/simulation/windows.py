"""Windows of a convolution as rows of a matrix (im2col), and their sums (col2im)."""

from dataclasses import dataclass
from math import prod
from typing import Any

import torch

Tensor = torch.Tensor


@dataclass(frozen=True)
class Windows:
    """Kernel, stride, padding (before, after) and dilation of every spatial axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]

    @property
    def spans(self) -> tuple[int, ...]:
        """Elements from the first tap to the last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def count(self, sizes: tuple[int, ...]) -> tuple[int, ...]:
        """Windows along every axis of an input of ``sizes``."""
        rows = zip(sizes, self.padding, self.spans, self.stride, strict=True)
        return tuple((n + sum(p) - span) // s + 1 for n, p, span, s in rows)

    def source(self, count: tuple[int, ...], more: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of the input that has ``count`` windows, and ``more`` elements left over."""
        rows = zip(count, self.stride, self.padding, self.spans, more, strict=True)
        return tuple((n - 1) * s - sum(p) + span + o for n, s, p, span, o in rows)

    def columns(self, x: Tensor, groups: int) -> Tensor:
        """``x`` (B, C, ...) as (groups, B * windows, C / groups * taps): im2col.

        Rows go over samples, then windows; columns over channels, then taps.
        """
        dims = len(self.kernel)
        found = torch.nn.functional.pad(x, [n for p in reversed(self.padding) for n in p])
        for axis in range(dims):
            found = found.unfold(2 + axis, self.spans[axis], self.stride[axis])
            found = found[..., :: self.dilation[axis]]
        split: Tensor = found.unflatten(1, (groups, -1))  # B, G, C/G, windows..., taps...
        places, taps = range(3, 3 + dims), range(3 + dims, 3 + 2 * dims)
        rows = split.permute(1, 0, *places, 2, *taps)
        lead = prod(rows.shape[1 : 2 + dims])
        return rows.reshape(groups, lead, prod(rows.shape[2 + dims :]))

    def summed(
        self, columns: Tensor, batch: int, sizes: tuple[int, ...], windows: tuple[int, ...]
    ) -> Tensor:
        """(groups, B * windows, C / groups * taps) added into (B, C, *sizes): col2im.

        Taps are added in order, in the dtype of ``columns``; ``sizes`` are without padding.
        """
        whole = [n + sum(p) for n, p in zip(sizes, self.padding, strict=True)]
        dims = len(self.kernel)
        groups = columns.shape[0]
        taps_each = prod(self.kernel)
        channels = columns.shape[-1] // taps_each
        split = columns.reshape(groups, batch, *windows, channels, taps_each)
        taps = split.permute(-1, 1, 0, 2 + dims, *range(2, 2 + dims)).flatten(2, 3)
        out = columns.new_zeros((batch, taps.shape[2], *whole))
        for number, tap in enumerate(taps):
            at: Any = (..., *self._slices(number, windows))
            out[at] += tap
        kept = [slice(p[0], p[0] + n) for n, p in zip(sizes, self.padding, strict=True)]
        inner: Any = (..., *kept)
        return out[inner]

    def _slices(self, number: int, windows: tuple[int, ...]) -> tuple[slice, ...]:
        """Where tap ``number`` of every window lies."""
        found = []
        for k, s, d, n in zip(
            self.kernel[::-1], self.stride[::-1], self.dilation[::-1], windows[::-1], strict=True
        ):
            number, at = divmod(number, k)
            found.append(slice(at * d, at * d + (n - 1) * s + 1, s))
        return tuple(found[::-1])
