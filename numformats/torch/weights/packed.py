"""``PackedWeight``: a parameter stored as packed codes, decoded whenever its module reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import ParametrizationList

from numformats.random import Key
from numformats.torch.direction import Direction
from numformats.torch.weights.codes import read_weight, stored


def is_packed(module: object) -> bool:
    """Whether ``module`` is a list of parametrizations that keeps codes."""
    return isinstance(module, ParametrizationList) and isinstance(module[0], PackedWeight)


def check_codes(codes: Any, state: Mapping[str, Any], prefix: str, *others: Any) -> None:
    """Before a ``ParametrizationList`` loads codes: refuse those of another format or shape.

    Raises:
        ValueError: the state names another, or none.
    """
    given, name = state.get(f"{prefix}0._extra_state"), prefix.replace("parametrizations.", "")
    if given is not None:
        codes[0].check(given, name.rstrip("."))
    elif f"{prefix}original0" in state:
        raise ValueError(
            f"{name.rstrip('.')}: the state has codes, but not {prefix}0._extra_state, which names "
            "their format and shape; leave all of them in, or out"
        )


class PackedWeight(nn.Module):
    """A parametrization (``torch.nn.utils.parametrize``) that keeps a weight as packed codes.

    The module's weight becomes decode(unpack(codes)) times its scales. Codes and scales are
    parameters without gradient (``original0``, ...), so that ``state_dict`` and ``to`` take them;
    ``state_dict`` names their format and shape, too, and codes of others are refused.

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
        self.given = self.dtype = torch.float32  # of the weight that was packed, and as it is read

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        """The weight is read in the dtype that ``half()`` and its like give the model."""
        self.dtype = fn(torch.empty(0, dtype=self.dtype)).dtype
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, ...]:
        """Codes and scales of ``weight``: what is stored."""
        self.shape, self.given, self.dtype = list(weight.shape), weight.dtype, weight.dtype
        return tuple(part.to(weight.device) for part in stored(weight, self.how, self.key))

    def forward(self, packed: Tensor, *scales: Tensor) -> Tensor:
        """The weight. Promise: the bits of ``numformats.torch.quantize`` of the weight that was
        given, and then its dtype where the model has changed that since."""
        out: Tensor = read_weight(packed, list(scales), self.fmt, self.shape, self.given)
        return out.to(self.dtype)

    def get_extra_state(self) -> Tensor:
        """Format and shape as text in uint8, for ``state_dict``: codes of others have the same
        sizes."""
        return torch.tensor(list(self._text.encode()), dtype=torch.uint8)

    def set_extra_state(self, state: Tensor) -> None:
        """Nothing: ``check_codes`` has looked at it before the codes were loaded."""

    def check(self, state: Tensor, name: str) -> None:
        """Refuse codes of another format or shape than those of the weight ``name``."""
        found = bytes(state.tolist()).decode()
        if found != self._text:
            raise ValueError(
                f"{name}: the state has codes of {found}, the model reads {self._text}; load it "
                "into a model that quantize_model made with the same formats"
            )

    @property
    def _text(self) -> str:
        return f"{self.fmt}, shape {tuple(self.shape)}"

    def extra_repr(self) -> str:
        """Format and shape in words."""
        return f"{self.how.words}; shape {tuple(self.shape)}, {self.dtype}"
