"""Keys of random draws as tensors: int64 (..., 3 + folds) of seed, stream, first element, and what
is folded in one after another. Values from 2**63 on are stored less 2**64."""

from __future__ import annotations

import torch

from numformats.random import Key
from numformats.random import as_key as checked_key

SEED, STREAM, START, STEP = range(4)
BACKWARD = 1  #: folded into the key of a forward draw, it keys the draw of the gradient
_MASK = (1 << 64) - 1


def key_tensor(key: Key | int | torch.Tensor, *folds: int) -> torch.Tensor:
    """``key``, and then ``folds``, as a tensor on the CPU; a tensor counts as made here.

    Raises:
        TypeError, ValueError: another kind, dtype or shape.
    """
    if isinstance(key, torch.Tensor):
        if key.dtype != torch.int64 or key.ndim != 1 or key.shape[0] <= START:
            raise ValueError(
                f"key is a tensor of dtype {key.dtype}, shape {tuple(key.shape)}; write an int, "
                "nf.Key(seed, stream), or an int64 tensor (seed, stream, start, *folds)"
            )
        return key
    found = checked_key(key)
    assert found is not None
    words = (found.seed, found.stream, found.start, *folds)
    return torch.tensor([_signed(word) for word in words], dtype=torch.int64)


def key_words(tensor: torch.Tensor) -> list[int]:
    """The numbers that ``tensor`` stands for."""
    return [word & _MASK for word in tensor.tolist()]


def key_of(tensor: torch.Tensor) -> Key:
    """The key that ``tensor`` stands for; waits for the device on which it lies."""
    seed, stream, start, *folds = key_words(tensor)
    key = Key(seed, stream)
    for data in folds:
        key = key.fold(data)
    return key.at(start) if start else key


def folded(key: torch.Tensor, data: int) -> torch.Tensor:
    """``key`` with ``data`` folded in."""
    return torch.cat([key, key.new_full((1,), data)])


def _signed(word: int) -> int:
    """The int64 that stores a word of 64 bits."""
    return word - (1 << 64) if word >> 63 else word
