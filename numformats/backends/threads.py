"""How many threads a kernel gets: waking them costs more than small products save."""

from collections.abc import Iterator
from contextlib import contextmanager

import numba

SMALL = 1 << 22  # multiply-adds of the cheapest kernels


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """One thread inside for less than ``SMALL`` work, else as many as there were."""
    before = numba.get_num_threads()
    if work >= SMALL or before == 1:
        yield
        return
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)
