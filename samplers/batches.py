"""Data as batches of inputs and targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

import torch

Batches: TypeAlias = Iterable[tuple[torch.Tensor, torch.Tensor]]
Data: TypeAlias = tuple[torch.Tensor, torch.Tensor] | Batches
"""(inputs, targets), or batches of them that come in the same order every time."""

REMEDY = "give (inputs, targets), a list of batches or a DataLoader, which can be read again"


def as_batches(data: Data) -> Batches:
    """The batches; two tensors are one."""
    return [data] if isinstance(data, tuple) else data


def at_least_one(name: str, batches: Batches) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """The batches of the argument ``name``.

    Raises:
        ValueError: at the end, where none came: it is empty, or has been read before.
    """
    empty = True
    for batch in batches:
        empty = False
        yield batch
    if empty:
        raise ValueError(f"{name} gave no batch: it is empty or was read before; {REMEDY}")


def check_rereadable(name: str, data: Data) -> None:
    """Refuse iterators that are used up after the first sample."""
    if isinstance(data, Iterator):
        raise ValueError(
            f"{name} is a {type(data).__name__}, which can be read once, but every sample reads "
            f"it; {REMEDY}"
        )
