"""The calls of ``qtorch.auto_low``: round what the layers of a model give."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.linear import NonDynamicallyQuantizableLinear

from numformats.checks import choice
from numformats.torch.interop.qtorch.number import Number
from numformats.torch.interop.qtorch.quant import Quantizer

__all__ = ["lower", "sequential_lower"]

KINDS: dict[str, tuple[str, ...]] = {
    "conv": ("conv", "fold"),
    "linear": ("linear",),
    "pool": ("pooling",),
    "pad": ("padding",),
    "activation": ("activation",),
    "normalization": ("batchnorm", "instancenorm", "normalization"),
    "dropout": ("dropout",),
    "loss": ("loss",),
}
"""Kinds of layers, and the modules of ``torch.nn.modules`` that define them."""
OTHERS = (nn.Identity, nn.MultiheadAttention, NonDynamicallyQuantizableLinear)
"""Defined there, and no layers of the kind; of the last one attention reads weight and bias."""


def lower(
    model: nn.Module,
    layer_types: Iterable[str] = (),
    forward_number: Number | None = None,
    backward_number: Number | None = None,
    forward_rounding: str = "stochastic",
    backward_rounding: str = "stochastic",
) -> None:
    """Round the results of the layers of some kinds, in place.

    Args:
        model: any module.
        layer_types: of ``"conv"``, ``"linear"``, ``"pool"``, ``"pad"``, ``"activation"``,
            ``"normalization"``, ``"dropout"``, ``"loss"``.
        forward_number: as in ``quant.quantizer``.
        backward_number: as in ``quant.quantizer``.
        forward_rounding: as in ``quant.quantizer``.
        backward_rounding: as in ``quant.quantizer``.

    Raises:
        TypeError, ValueError: an unknown kind, with the closest match; as ``quant.quantizer``.

    Example:
        >>> import torch
        >>> from numformats.torch.interop.qtorch import FixedPoint
        >>> net = nn.Sequential(nn.ReLU())
        >>> lower(net, ["activation"], FixedPoint(8, 2), forward_rounding="nearest")
        >>> net(torch.tensor([0.3]))
        tensor([0.2500])
    """
    homes = _homes(layer_types)
    quant = Quantizer(forward_number, backward_number, forward_rounding, backward_rounding)
    for module in model.modules():
        if _is_of(module, homes):
            module.register_forward_hook(_After(quant))


def sequential_lower(
    model: nn.Module,
    layer_types: Iterable[str] = (),
    forward_number: Number | None = None,
    backward_number: Number | None = None,
    forward_rounding: str = "stochastic",
    backward_rounding: str = "stochastic",
) -> nn.Module:
    """A copy of ``model`` whose layers of some kinds are followed by a ``Quantizer``.

    Args, Raises: as ``lower``.

    Example:
        >>> from numformats.torch.interop.qtorch import FixedPoint
        >>> low = sequential_lower(nn.ReLU(), ["activation"], FixedPoint(8, 2))
        >>> [type(module).__name__ for module in low]
        ['ReLU', 'Quantizer']
    """
    homes = _homes(layer_types)
    quant = Quantizer(forward_number, backward_number, forward_rounding, backward_rounding)

    made: dict[nn.Module, nn.Module] = {}  # shared layers stay shared

    def lowered(module: nn.Module) -> nn.Module:
        if module not in made:
            for name, child in [*module._modules.items()]:
                if child is not None:
                    module.add_module(name, lowered(child))
            made[module] = nn.Sequential(module, quant) if _is_of(module, homes) else module
        return made[module]

    return lowered(copy.deepcopy(model))


class _After:
    """A hook that can be pickled."""

    def __init__(self, quant: Quantizer) -> None:
        self.quant = quant

    def __call__(self, module: nn.Module, given: Any, result: Tensor) -> Tensor:
        return self.quant(result)  # type: ignore[no-any-return]


def _homes(layer_types: Iterable[str]) -> set[str]:
    kinds = [layer_types] if isinstance(layer_types, str) else list(layer_types)
    for kind in kinds:
        choice("layer type", kind, KINDS)
    return {f"torch.nn.modules.{home}" for kind in kinds for home in KINDS[kind]}


def _is_of(module: nn.Module, homes: set[str]) -> bool:
    return type(module).__module__ in homes and not isinstance(module, OTHERS)
