"""Windows of a convolution as rows of a matrix (im2col), and their sums (col2im)."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import torch

from numformats.torch.simulation.layouts import batch, groups_of
from numformats.torch.simulation.places import Site

Tensor = torch.Tensor
Sizes = tuple[int, ...]


@dataclass(frozen=True)
class Windows:
    """Kernel, stride, padding (before, after) and dilation of every spatial axis."""

    kernel: Sizes
    stride: Sizes
    padding: tuple[tuple[int, int], ...]
    dilation: Sizes

    @property
    def spans(self) -> Sizes:
        """Elements from the first tap to the last."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True))

    def count(self, sizes: Sizes) -> Sizes:
        """Windows along every axis of an input of ``sizes``."""
        rows = zip(sizes, self.padding, self.spans, self.stride, strict=True)
        return tuple((n + sum(p) - span) // s + 1 for n, p, span, s in rows)

    def source(self, count: Sizes, more: Sizes) -> Sizes:
        """Sizes of the input that has ``count`` windows, and ``more`` elements left over."""
        rows = zip(count, self.stride, self.padding, self.spans, more, strict=True)
        return tuple((n - 1) * s - sum(p) + span + o for n, s, p, span, o in rows)

    def cover(self, sizes: Sizes) -> bool:
        """Whether every element of an input of ``sizes`` is in a window."""
        rows = zip(
            sizes, self.count(sizes), self.kernel, self.stride, self.padding, self.dilation,
            strict=True,
        )  # fmt: skip
        return all(
            d == 1 and s <= k and (n - 1) * s + k >= size + p[0] for size, n, k, s, p, d in rows
        )

    def evened(self, x: Tensor) -> tuple[Tensor, "Windows"]:
        """``x`` padded where the padding of an axis is longer on one side, and what is left."""
        each = tuple(min(p) for p in self.padding)
        odd = [
            n
            for p, same in zip(self.padding[::-1], each[::-1], strict=True)
            for n in (p[0] - same, p[1] - same)
        ]
        if not any(odd):
            return x, self
        left = replace(self, padding=tuple((n, n) for n in each))
        return torch.nn.functional.pad(x, odd), left

    def arguments(self, groups: int, more: Sizes | None = None) -> tuple[Any, ...]:
        """Of ``torch.convolution``, after the bias; ``more`` is the output padding of a transposed
        one. Paddings are even.
        """
        before = [p[0] for p in self.padding]
        rest = more is not None, more or (0,) * len(before), groups
        return self.stride, before, self.dilation, *rest

    def columns(self, x: Tensor, groups: int, places: Sizes) -> Tensor:
        """``x`` (B, C, ...) as ([groups,] B * places, taps * C / groups): im2col.

        Rows go over samples, then windows, of which there are ``places`` along every axis; columns
        go over taps, then channels.
        """
        dims = len(self.kernel)
        edges = [n for p in reversed(self.padding) for n in p]
        padded = torch.nn.functional.pad(x, edges) if any(edges) else x
        found = padded.movedim(1, -1).contiguous().unflatten(-1, (groups, -1))
        for axis in range(dims):
            found = found.unfold(1 + axis, self.spans[axis], self.stride[axis])
            found = found[..., :: self.dilation[axis]].narrow(1 + axis, 0, places[axis])
        taps = range(3 + dims, 3 + 2 * dims)
        rows: Tensor = found.permute(1 + dims, 0, *range(1, 1 + dims), *taps, 2 + dims)
        lead, width = prod(rows.shape[1 : 2 + dims]), prod(rows.shape[2 + dims :])
        return rows.reshape(*batch(groups), lead, width)

    def summed(self, columns: Tensor, samples: int, sizes: Sizes, places: Sizes) -> Tensor:
        """([groups,] B * places, taps * C / groups) added into (B, C, *sizes): col2im.

        Taps are added in order, in the dtype of ``columns``; ``sizes`` are without padding.
        """
        whole = [n + sum(p) for n, p in zip(sizes, self.padding, strict=True)]
        groups, taps_each = groups_of(columns), prod(self.kernel)
        channels = columns.shape[-1] // taps_each
        split = columns.reshape(groups, samples, *places, taps_each, channels)
        out = columns.new_zeros((samples, *whole, groups, channels))
        for number, tap in enumerate(split.movedim(0, -2).movedim(-3, 0)):
            at: Any = (slice(None), *self._slices(number, places))
            out[at] += tap
        kept = [slice(p[0], p[0] + n) for n, p in zip(sizes, self.padding, strict=True)]
        inner: Any = (slice(None), *kept)
        return out[inner].flatten(-2).movedim(-1, 1)

    def _slices(self, number: int, places: Sizes) -> tuple[slice, ...]:
        """Where tap ``number`` of every window lies."""
        found = []
        for k, s, d, n in zip(
            self.kernel[::-1], self.stride[::-1], self.dilation[::-1], places[::-1], strict=True
        ):
            number, at = divmod(number, k)
            found.append(slice(at * d, at * d + (n - 1) * s + 1, s))
        return tuple(found[::-1])


class Columns(torch.autograd.Function):
    """``Windows.columns``, whose gradient is ``Windows.summed``."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, windows: Windows, groups: int, places: Sizes, site: Site
    ) -> Tensor:
        """im2col."""
        ctx.windows, ctx.site, ctx.places = windows, site, places
        ctx.samples, ctx.sizes = x.shape[0], tuple(x.shape[2:])
        return windows.columns(x, groups, places)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """col2im."""
        with ctx.site.inside():
            x = Summed.apply(grad, ctx.windows, ctx.samples, ctx.sizes, ctx.places, ctx.site)
        return x, None, None, None, None


class Summed(torch.autograd.Function):
    """``Windows.summed``, whose gradient is ``Windows.columns``."""

    @staticmethod
    def forward(
        ctx: Any, columns: Tensor, windows: Windows, samples: int, sizes: Sizes, places: Sizes,
        site: Site,
    ) -> Tensor:  # fmt: skip
        """col2im."""
        ctx.windows, ctx.site, ctx.places = windows, site, places
        ctx.groups = groups_of(columns)
        return windows.summed(columns, samples, sizes, places)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """im2col."""
        with ctx.site.inside():
            columns = Columns.apply(grad, ctx.windows, ctx.groups, ctx.places, ctx.site)
        return columns, None, None, None, None, None
