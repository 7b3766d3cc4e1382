"""Data as batches of inputs and targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import torch

Batches: TypeAlias = Iterable[tuple[torch.Tensor, torch.Tensor]]
Data: TypeAlias = tuple[torch.Tensor, torch.Tensor] | Batches
"""(inputs, targets), or batches of them that come in the same order every time."""


def as_batches(data: Data) -> Batches:
    """The batches; two tensors are one."""
    return [data] if isinstance(data, tuple) else data
