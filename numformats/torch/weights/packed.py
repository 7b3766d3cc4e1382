"""``PackedWeight``: a parameter stored as packed codes, decoded whenever its module reads it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from numformats.random import Key
from numformats.torch.direction import Direction
from numformats.torch.weights.codes import read_weight, stored


def is_packed(module: object) -> bool:
    """Whether ``module`` is a list of parametrizations that keeps codes."""
    return isinstance(module, ParametrizationList) and isinstance(module[0], PackedWeight)


class PackedWeight(nn.Module):
    """A parametrization (``torch.nn.utils.parametrize``) that keeps a weight as packed codes.

    The module's weight becomes decode(unpack(codes)) times its scales. Codes and scales are
    parameters without gradient (``original0``, ...), so that ``state_dict`` and ``to`` take them.

    Args:
        how: format, rounding and scaling of the weight.
        key: of stochastic rounding.

    Raises:
        ValueError: stochastic rounding without ``key``.
    """

    def __init__(self, how: Direction, key: Key | int | None = None) -> None:
        super().__init__()
        self.how, self.key, self.fmt = how, key, str(how.fmt)
        self.shape: list[int] = []
        self.dtype = torch.float32

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Codes and scales of ``weight``: what is stored."""
        self.shape, self.dtype = list(weight.shape), weight.dtype
        return tuple(part.to(weight.device) for part in stored(weight, self.how, self.key))

    def forward(self, packed: Tensor, *scales: Tensor) -> Tensor:
        """The weight. Promise: the bits of ``numformats.torch.quantize`` of the weight that was
        given."""
        out: Tensor = read_weight(packed, list(scales), self.fmt, self.shape, self.dtype)
        return out

    def extra_repr(self) -> str:
        """Format and shape in words."""
        return f"{self.how.words}; shape {tuple(self.shape)}, {self.dtype}"
