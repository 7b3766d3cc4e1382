"""What enters a module: the floating-point tensors among its arguments, but for masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Change = Callable[[torch.Tensor], torch.Tensor]


def entering(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The tensors that enter."""
    found: list[torch.Tensor] = []

    def keep(x: torch.Tensor) -> torch.Tensor:
        found.append(x)
        return x

    changed(keep, args, kwargs)
    return found


def changed(
    change: Change, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments with ``change`` of what enters in its place; keywords with ``mask`` in their
    name are no activations (they hold -Inf)."""
    named = {k: x if "mask" in k else _one(change, x) for k, x in kwargs.items()}
    return tuple(_one(change, x) for x in args), named


def _one(change: Change, x: Any) -> Any:
    return change(x) if isinstance(x, torch.Tensor) and x.is_floating_point() else x
