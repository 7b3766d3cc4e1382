"""Memory for results."""

from __future__ import annotations

import numpy as np
import torch

MANY_BYTES = (
    1 << 22
)  #: from here on NumPy asks for huge pages, whose first touch is several times faster


def empty_like(x: torch.Tensor, dtype: torch.dtype | None = None) -> torch.Tensor:
    """``torch.empty_like``, on the CPU in memory that NumPy allocates where there is much of it."""
    kind = x.dtype if dtype is None else dtype
    size = x.numel() * kind.itemsize
    if x.device.type != "cpu" or size < MANY_BYTES:
        return torch.empty_like(x, dtype=kind)
    strides = torch.empty_like(x, device="meta").stride()
    memory = torch.from_numpy(np.empty(size, np.uint8)).view(kind)
    return memory.as_strided(x.shape, strides)
