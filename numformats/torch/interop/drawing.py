"""Keys for calls that take none, from torch's generator: ``torch.manual_seed`` repeats them."""

from __future__ import annotations

import torch


def drawn_key() -> torch.Tensor:
    """A new key: int64 (seed, stream, first element)."""
    seed = torch.randint(0, 1 << 62, (1,))
    return torch.cat([seed, torch.zeros(2, dtype=torch.int64)])
