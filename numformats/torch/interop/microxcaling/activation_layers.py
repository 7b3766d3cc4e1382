"""Layers of activations: ``mx.Sigmoid``, ``mx.Tanh``, ``mx.ReLU``, ``mx.ReLU6``,
``mx.LeakyReLU``, ``mx.SiLU`` and ``mx.GELU``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling import activations
from numformats.torch.interop.microxcaling.specified import Specified
from numformats.torch.interop.microxcaling.specs import Specs


class Sigmoid(Specified, torch.nn.Sigmoid):
    """``torch.nn.Sigmoid`` by ``sigmoid``.

    Args:
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``.

    Example:
        >>> Sigmoid({"bfloat": 16})(torch.tensor([1.0]))
        tensor([0.7305])
    """

    def __init__(self, mx_specs: Specs | None = None, name: str | None = None) -> None:
        super().__init__()
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        return activations.sigmoid(input, self.mx_specs)


class Tanh(Specified, torch.nn.Tanh):
    """``torch.nn.Tanh`` by ``tanh``; as ``Sigmoid``."""

    def __init__(self, mx_specs: Specs | None = None, name: str | None = None) -> None:
        super().__init__()
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        return activations.tanh(input, self.mx_specs)


class ReLU(Specified, torch.nn.ReLU):
    """``torch.nn.ReLU`` by ``relu``; as ``Sigmoid``."""

    def __init__(
        self, inplace: bool = False, mx_specs: Specs | None = None, name: str | None = None
    ) -> None:
        super().__init__(inplace)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        return activations.relu(input, self.inplace, self.mx_specs)


class ReLU6(Specified, torch.nn.ReLU6):
    """``torch.nn.ReLU6`` by ``relu6``; as ``Sigmoid``."""

    def __init__(
        self, inplace: bool = False, mx_specs: Specs | None = None, name: str | None = None
    ) -> None:
        super().__init__(inplace)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        return activations.relu6(input, self.inplace, self.mx_specs)


class LeakyReLU(Specified, torch.nn.LeakyReLU):
    """``torch.nn.LeakyReLU`` by ``leaky_relu``; as ``Sigmoid``."""

    def __init__(
        self,
        negative_slope: float = 0.01,
        inplace: bool = False,
        mx_specs: Specs | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(negative_slope, inplace)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        return activations.leaky_relu(input, self.negative_slope, self.inplace, self.mx_specs)


class SiLU(Specified, torch.nn.SiLU):
    """``torch.nn.SiLU`` by ``silu``; as ``Sigmoid``."""

    def __init__(
        self, inplace: bool = False, mx_specs: Specs | None = None, name: str | None = None
    ) -> None:
        super().__init__(inplace)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        return activations.silu(input, self.inplace, self.mx_specs)


class GELU(Specified, torch.nn.GELU):
    """``torch.nn.GELU`` by ``gelu``; without ``mx_specs`` torch's approximation with tanh.

    Args:
        mx_specs: None: torch's own layer, but for ``first_order_gelu``.
        first_order_gelu: x sigmoid(1.703125 x).
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``.

    Example:
        >>> GELU({"bfloat": 16})(torch.tensor([1.0]))
        tensor([0.8438])
    """

    def __init__(
        self,
        mx_specs: Specs | None = None,
        first_order_gelu: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__("tanh")
        self.first_order_gelu = first_order_gelu
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """Same shape."""
        if self.mx_specs is None and not self.first_order_gelu:
            return super().forward(input)
        return activations.gelu(input, self.mx_specs, self.first_order_gelu)
