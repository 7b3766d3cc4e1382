"""Layers with rounded operands: ``mx.Linear``, ``mx.Conv1d``, ``mx.Conv2d``, ``mx.Conv3d`` and
``mx.ConvTranspose2d``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.convolutions import (
    Sizes,
    conv1d,
    conv2d,
    conv3d,
    convolve,
)
from numformats.torch.interop.microxcaling.products import linear
from numformats.torch.interop.microxcaling.specified import Specified
from numformats.torch.interop.microxcaling.specs import Specs
from numformats.torch.simulation.convolutions import each, paddings
from numformats.torch.simulation.windows import Windows


class Linear(Specified, torch.nn.Linear):
    """``torch.nn.Linear`` by ``linear``.

    Args:
        in_features: length of the last axis.
        out_features: length of the result's last axis.
        bias: whether something is added.
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``.

    Example:
        >>> Linear(4, 2, mx_specs={"a_elem_format": "int8"})(torch.zeros(1, 4)).shape
        torch.Size([1, 2])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        mx_specs: Specs | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        return linear(input, self.weight, self.bias, self.mx_specs, self.name)


class _Convolution(Specified):
    """Between a layer of torch and its function here."""

    function: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Any = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        mx_specs: Specs | None = None,
        name: str | None = None,
    ) -> None:
        layer: Any = super()
        layer.__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias
        )
        self.specify(mx_specs, name)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        layer: Any = self
        args = layer.stride, layer.padding, layer.dilation, layer.groups, self.mx_specs, self.name
        return type(self).function(input, weight, bias, *args)


class Conv1d(_Convolution, torch.nn.Conv1d):
    """``torch.nn.Conv1d`` by ``conv1d``; as ``Conv2d``."""

    function = staticmethod(conv1d)


class Conv2d(_Convolution, torch.nn.Conv2d):
    """``torch.nn.Conv2d`` by ``conv2d``.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias: as of
            torch's layer; edges are padded with zeros.
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``; what torch's layer refuses.

    Example:
        >>> layer = Conv2d(4, 2, 3, padding=1, mx_specs={"a_elem_format": "int8"})
        >>> layer(torch.zeros(1, 4, 5, 5)).shape
        torch.Size([1, 2, 5, 5])
    """

    function = staticmethod(conv2d)


class Conv3d(_Convolution, torch.nn.Conv3d):
    """``torch.nn.Conv3d`` by ``conv3d``; as ``Conv2d``."""

    function = staticmethod(conv3d)


class ConvTranspose2d(Specified, torch.nn.ConvTranspose2d):
    """``torch.nn.ConvTranspose2d`` with rounded operands, as ``conv2d`` has them.

    Args:
        in_channels, out_channels, kernel_size, stride, padding, output_padding, dilation, groups,
            bias: as of torch's layer; ``dilation`` stands before ``groups``, as in the package.
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``; what torch's layer refuses.

    Example:
        >>> layer = ConvTranspose2d(4, 2, 2, stride=2, mx_specs={"a_elem_format": "int8"})
        >>> layer(torch.zeros(1, 4, 5, 5)).shape
        torch.Size([1, 2, 10, 10])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        mx_specs: Specs | None = None,
        name: str | None = None,
    ) -> None:
        sizes = in_channels, out_channels, kernel_size, stride, padding, output_padding
        super().__init__(*sizes, groups, bias, dilation)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """([N,] C, H, W) to ([N,] filters, H', W'), of ``output_size`` where it is given."""
        size = None if output_size is None else list(output_size)
        if self.mx_specs is None:
            return super().forward(input, size)
        kernel, stride, dilation, padding = (
            list(each(v, 2)) for v in (self.kernel_size, self.stride, self.dilation, self.padding)
        )
        more = self._output_padding(input, size, stride, padding, kernel, 2, dilation)
        edges = paddings(padding, kernel, dilation)
        windows = Windows(tuple(kernel), tuple(stride), edges, tuple(dilation))
        rest = windows, self.groups, tuple(more)
        return convolve(input, self.weight, self.bias, self.mx_specs, *rest)
