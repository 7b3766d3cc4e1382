"""How many threads a kernel gets: waking them costs more than small products save, and a process
that was forked from one with threads has none.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numba
from numba.np.ufunc.parallel import threading_layer

SMALL = 1 << 22  # multiply-adds of the cheapest kernels
_built: list[Any] = []  # memories of what makes kernels
_forked = False


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


def remembered(build: Callable[..., Any]) -> Callable[..., Any]:
    """``build``, which makes kernels, with a memory that a forked process starts anew."""
    kept = cache(build)
    _built.append(kept)
    return kept


def without_threads(text: str) -> str:
    """The source of a kernel as this process can run it: OpenMP stops one that was forked after it
    had threads."""
    return text.replace("parallel=True", "parallel=False") if _forked else text


def _begin_child() -> None:
    global _forked
    try:
        _forked = threading_layer() == "omp"  # type: ignore[no-untyped-call]
    except ValueError:  # no kernel had threads
        return
    for kept in _built if _forked else ():
        kept.cache_clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_child)
