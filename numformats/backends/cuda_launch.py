"""How kernels are launched, on any machine that compiles and launches them: CuPy's, or a host that
runs the same source.
"""

from typing import Any, Protocol

import numpy as np

from numformats.backends.cuda_text import UnitBase
from numformats.blocking import Geometry
from numformats.lanes import size_of

THREADS = 256
FLIGHT = 4  # vectors that a thread has under way, as in cuda/scalar.cuh
MOST_BLOCKS = 1 << 20  # beyond them threads stride over the rest
FEW_BLOCKS = 1 << 12  # the same of kernels whose threads prepare much, or gather what they found
VECTOR = 16  # bytes of one load
NO_TILING = (np.uint64(1),) * 8


class Machine(Protocol):
    """What runs kernels. Arrays are whatever the machine's tasks hold."""

    def address(self, array: Any) -> int:
        """Address of the first element."""

    def zeros(self, n: int | tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Zeroed scratch memory where ``like`` lies."""

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Scratch memory where ``like`` lies."""

    def clear(self, array: Any) -> None:
        """Fill an array with zeros."""

    def upload(self, array: Any, like: Any) -> Any:
        """A NumPy array where ``like`` lies."""

    def read(self, array: Any) -> Any:
        """A scratch array as NumPy, after everything before it has run."""

    def launch(
        self, unit: UnitBase, entry: int, blocks: int, args: tuple[Any, ...], like: Any
    ) -> None:
        """Launch kernel ``entry`` of ``unit``, ``THREADS`` threads a block, where ``like`` lies."""


def grid_of(threads: int, most: int = MOST_BLOCKS) -> int:
    """Thread blocks of a launch for so many threads."""
    return min(max(-(-threads // THREADS), 1), most)


def tiling_of(g: Geometry) -> tuple[Any, ...]:
    """A geometry as kernel arguments."""
    return tuple(np.uint64(v) for v in g.tiling)


def stream_of(words: tuple[Any, Any], first: int) -> tuple[Any, Any, Any]:
    """Key words and first element as kernel arguments."""
    return (*words, np.uint64(first))


class Launcher:
    """Part of a backend, on one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def table(self, numbers: Any, like: Any) -> Any:
        """A table of indices on the device; None where an index is itself, which kernels read from
        the address 0 (nothing is sent then)."""
        if numbers is None or np.array_equal(numbers, np.arange(len(numbers))):
            return None
        return self.machine.upload(numbers, like)

    def place(self, array: Any) -> int:
        """Address of an array, 0 for None."""
        return 0 if array is None else self.machine.address(array)

    def few(self, n: int, vectors: int) -> int:
        """Thread blocks for ``vectors`` groups of four of ``n`` elements, and the rest one by
        one."""
        return grid_of(max(vectors, n - 4 * vectors), FEW_BLOCKS)

    def vectors(self, n: int, g: Geometry | None, *arrays: Any) -> int:
        """Groups of four elements that are aligned in all ``arrays`` and lie in one block each."""
        if g is not None:
            _, n1, b, n2, c = g.shape
            if n1 * b * c != 1 or n2 % g.tile[1] or g.tile[1] % 4:
                return 0
        sizes = (4 * size_of(x.dtype) for x in arrays)
        places = (self.machine.address(x) for x in arrays)
        aligned = all(p % size == 0 for p, size in zip(places, sizes, strict=True))
        return n // 4 if aligned else 0

    def row_lanes(self, x: Any, out: Any, g: Geometry) -> int:
        """Vectors a block, where one pass serves: whole blocks along memory, a power of two of
        them up to a warp, aligned."""
        per = VECTOR // size_of(x.dtype)
        lanes, rest = divmod(g.tile[1], per)
        out_vector = per * size_of(out.dtype)
        aligned = self.machine.address(x) % VECTOR == 0
        aligned = aligned and self.machine.address(out) % out_vector == 0
        return lanes if g.in_rows and rest == 0 and aligned and lanes in (1, 2, 4, 8, 16, 32) else 0
