"""Matrices on CUDA devices, of any strides: where their elements lie in memory."""

from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from numformats.device import DeviceArray


@dataclass(frozen=True)
class Matrices:
    """Element (i, j) of matrix n lies at ``starts[n] + i * row + j * column`` of ``memory``, which
    begins with the lowest of them; parts are taken as of NumPy arrays, by batches and rows."""

    memory: DeviceArray
    starts: Any  #: NumPy int64
    rows: int
    columns: int
    row: int
    column: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """Batches, rows and columns."""
        return len(self.starts), self.rows, self.columns

    @property
    def dtype(self) -> Any:
        """The dtype of the elements."""
        return self.memory.dtype

    def __getitem__(self, places: tuple[slice, slice]) -> "Matrices":
        batches, rows = places
        first, last, _ = rows.indices(self.rows)
        return replace(self, starts=self.starts[batches] + first * self.row, rows=last - first)

    def overlaps(self, other: "Matrices") -> bool:
        """Whether they may share memory; they do not where one lies wholly before the other."""
        (low, high), (other_low, other_high) = self._extent(), other._extent()
        return low < other_high and other_low < high

    def _extent(self) -> tuple[int, int]:
        size = self.memory.size * np.dtype(self.memory.dtype).itemsize
        return self.memory.pointer, self.memory.pointer + size

    def same_places(self, other: "Matrices") -> bool:
        """Whether every element lies where its like does, in the same dtype."""
        numbers = [
            (x.memory.pointer, np.dtype(x.dtype), x.shape, x.row, x.column) for x in (self, other)
        ]
        return numbers[0] == numbers[1] and np.array_equal(self.starts, other.starts)


def strided(memory: DeviceArray, shape: tuple[int, ...], strides: tuple[int, ...]) -> Matrices:
    """An array of ``shape`` (..., rows, columns) whose first element is that of ``memory``;
    ``strides`` count elements."""
    starts = np.zeros((), np.int64)
    for count, stride in zip(shape[:-2], strides[:-2], strict=True):
        starts = starts[..., None] + np.arange(count, dtype=np.int64) * stride
    reach = [(n - 1) * s for n, s in zip(shape, strides, strict=True)] if prod(shape) else []
    low, high = sum(min(r, 0) for r in reach), sum(max(r, 0) for r in reach)
    pointer = memory.pointer + low * np.dtype(memory.dtype).itemsize
    whole = replace(memory, pointer=pointer, size=high - low + (prod(shape) > 0))
    return Matrices(whole, starts.reshape(-1) - low, *shape[-2:], *strides[-2:])


def contiguous(memory: DeviceArray) -> Matrices:
    """Memory of a shape in three dimensions, in C order."""
    batches, rows, columns = memory.shape
    return strided(memory, (batches, rows, columns), (rows * columns, columns, 1))
