"""How many threads torch and Numba use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Inside the context torch has ``count`` threads, and Numba as many of its own."""
    before = torch.get_num_threads(), numba.get_num_threads()
    set_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        numba.set_num_threads(before[1])


def set_threads(count: int) -> None:
    """Torch has ``count`` threads from now on, and Numba as many of its own."""
    torch.set_num_threads(count)
    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(min(count, most))
