"""How a model is run on one batch of a data loader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


def called(model: nn.Module, batch: Any) -> Any:
    """``model(**batch)`` of a mapping, ``model(*batch)`` of a tuple or list without its last entry
    (the targets), else ``model(batch)``."""
    if isinstance(batch, Mapping):
        return model(**batch)
    if isinstance(batch, tuple | list):
        return model(*batch[: max(1, len(batch) - 1)])
    return model(batch)
