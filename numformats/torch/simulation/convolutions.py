"""Convolutions as matrix products over windows (im2col), forward and transposed."""

from collections.abc import Sequence
from typing import Any

import torch

from numformats.torch.simulation import fast_convolution, windowed_convolution
from numformats.torch.simulation.arguments import bias_of, some_windows, windows_of
from numformats.torch.simulation.handlers import intercepts
from numformats.torch.simulation.layouts import (
    laid,
    matrix_of_filters,
    matrix_of_pixels,
)
from numformats.torch.simulation.operands import operand
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import product
from numformats.torch.simulation.windows import Summed, Windows

Tensor = torch.Tensor
Sizes = int | Sequence[int]


def each(value: Any, dims: int) -> tuple[int, ...]:
    """One number for every spatial axis."""
    given = (value,) if isinstance(value, int) else tuple(value)
    return given * dims if len(given) == 1 else given


def paddings(padding: Any, kernel: Sequence[int], dilation: Sequence[int]) -> Any:
    """(before, after) of every axis; ``"same"`` puts the odd one behind, as torch does."""
    if isinstance(padding, str) and padding not in ("valid", "same"):
        raise ValueError(f"padding={padding!r}; write 'valid', 'same', or numbers")
    if padding == "valid":
        return ((0, 0),) * len(kernel)
    if padding == "same":
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((t // 2, t - t // 2) for t in totals)
    return tuple((p, p) for p in each(padding, len(kernel)))


@intercepts("conv1d", "conv2d", "conv3d")
def convolution(
    site: Site,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Any = 0,
    dilation: Sizes = 1,
    groups: int = 1,
) -> Tensor:
    """Every output is a row of the window matrix times a filter; bias is c of that product."""
    kernel = tuple(weight.shape[2:])
    dims = len(kernel)
    if input.ndim == dims + 1:
        args = (weight, bias, stride, padding, dilation, groups)
        return convolution(site, input[None], *args)[0]
    dilation = each(dilation, dims)
    windows = Windows(kernel, each(stride, dims), paddings(padding, kernel, dilation), dilation)
    if padding == "same" and set(windows.stride) != {1}:
        raise ValueError(f"{site.op}: padding='same' needs stride=1, and stride is {stride}")
    _check(site, input, weight, windows, groups, 1)
    bias_of(site.op, bias, weight.shape[0])
    count = windows.count(tuple(input.shape[2:]))
    some_windows(site.op, input.shape[2:], count)
    x, w = operand(site, input, "activations", 0), operand(site, weight, "weights", 1)
    if fast_convolution.takes(site, x, w):
        return fast_convolution.convolve(site, x, w, bias, windows, groups)
    return windowed_convolution.convolve(site, x, w, bias, windows, groups)


@intercepts("conv_transpose1d", "conv_transpose2d", "conv_transpose3d")
def transposed(
    site: Site,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sizes = 1,
    padding: Sizes = 0,
    output_padding: Sizes = 0,
    groups: int = 1,
    dilation: Sizes = 1,
) -> Tensor:
    """Every input times the filters gives the taps of a window; taps are added in float32."""
    kernel = tuple(weight.shape[2:])
    dims = len(kernel)
    if input.ndim == dims + 1:
        args = (weight, bias, stride, padding, output_padding, groups, dilation)
        return transposed(site, input[None], *args)[0]
    stride, dilation, more = (each(v, dims) for v in (stride, dilation, output_padding))
    windows = Windows(kernel, stride, paddings(padding, kernel, dilation), dilation)
    _check(site, input, weight, windows, groups, 0)
    bias_of(site.op, bias, weight.shape[1] * groups)
    batch, places = input.shape[0], tuple(input.shape[2:])
    sizes = _source(site, windows, places, more)
    x, w = operand(site, input, "activations", 0), operand(site, weight, "weights", 1)
    if fast_convolution.takes(site, x, w):
        return fast_convolution.convolve(site, x, w, bias, windows, groups, more)
    rows = x.shaped(matrix_of_pixels(x.tensor, groups))
    filters = w.shaped(matrix_of_filters(w.tensor, groups))
    taps = product(site, rows, filters)
    taps = Summed.apply(taps, windows, batch, sizes, places, site)
    result = laid(taps, (input, weight))
    return result if bias is None else result + site.cast(bias).reshape(-1, *(1,) * dims)


@intercepts("convolution")
def either(
    site: Site,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    transposed_: bool,
    output_padding: Sizes,
    groups: int,
) -> Tensor:
    """``torch.convolution``, which all of them are."""
    if transposed_:
        return transposed(
            site, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return convolution(site, input, weight, bias, stride, padding, dilation, groups)


@intercepts("conv_tbc")
def time_first(site: Site, input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Input (time, batch, channels), weight (taps, channels, filters)."""
    x, w = input.permute(1, 2, 0), weight.permute(2, 1, 0)
    return convolution(site, x, w, bias, padding=pad).permute(2, 0, 1).contiguous()


def _source(site: Site, windows: Windows, places: Any, more: tuple[int, ...]) -> tuple[int, ...]:
    """Sizes of the result of a transposed convolution."""
    limits = [max(s, d) for s, d in zip(windows.stride, windows.dilation, strict=True)]
    if len(more) != len(limits) or any(not 0 <= n < m for n, m in zip(more, limits, strict=False)):
        raise ValueError(
            f"{site.op}: output_padding={more}; write {len(limits)} numbers from 0 on and below "
            f"{limits}, the larger of stride and dilation"
        )
    sizes = windows.source(places, more)
    some_windows(site.op, places, sizes)
    return sizes


def _check(site: Site, x: Tensor, w: Tensor, windows: Windows, groups: int, axis: int) -> None:
    windows_of(site.op, x, windows)
    channels = w.shape[axis] * (groups if axis else 1)
    if groups < 1 or w.shape[0] % groups:
        raise ValueError(
            f"{site.op}: groups={groups} and weight {tuple(w.shape)}; write a divisor of "
            f"{w.shape[0]}"
        )
    if x.shape[1] != channels:
        raise ValueError(
            f"{site.op}: input {tuple(x.shape)} and weight {tuple(w.shape)} with groups={groups}: "
            f"the input needs {w.ndim} axes and {channels} channels"
        )
