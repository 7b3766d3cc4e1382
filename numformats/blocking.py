"""Block geometry: any block format over any array as a five-dimensional view (a, n1, b, n2, c)
with tiles (t1, t2).

Axes between, before and after the blocked ones merge; a trailing whole axis merges into the
blocked axis before it. An ordinary block along one axis has n1 = b = 1.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import prod
from typing import Any

import numpy as np

from numformats.formats import BlockFloat


@dataclass(frozen=True)
class Geometry:
    """``shape`` of the five-dimensional view and the tile of blocks along its axes 1 and 3."""

    shape: tuple[int, int, int, int, int]
    tile: tuple[int, int]

    @property
    def scales_shape(self) -> tuple[int, int, int, int, int]:
        """Shape of one scale a block, in the same five dimensions."""
        a, n1, b, n2, c = self.shape
        return a, -(-n1 // self.tile[0]), b, -(-n2 // self.tile[1]), c

    @property
    def tiling(self) -> tuple[int, int, int, int, int, int, int, int]:
        """(n1, b, n2, c, t1, t2, m1, m2): sizes, the tile, and the number of tiles along it."""
        counts = self.scales_shape
        return (*self.shape[1:], *self.tile, counts[1], counts[3])

    @property
    def in_rows(self) -> bool:
        """Whether whole blocks lie along memory."""
        _, n1, b, n2, c = self.shape
        return n1 == b == c == 1 and n2 % self.tile[1] == 0

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return prod(self.scales_shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.shape)

    def pieces(self, size: int) -> Iterator[tuple["Geometry", int, int]]:
        """Parts of about ``size`` elements that lie together in memory and hold whole blocks, with
        the index of their first element and block."""
        a, n1, b, n2, c = self.shape
        per_row = self.blocks // max(a, 1)
        if n1 == b == c == 1 and n2 > size:
            step = max(size // self.tile[1], 1) * self.tile[1]
            for row, at in product(range(a), range(0, n2, step)):
                part = Geometry((1, 1, 1, min(step, n2 - at), 1), self.tile)
                yield part, row * n2 + at, row * per_row + at // self.tile[1]
            return
        rows = max(size // max(n1 * b * n2 * c, 1), 1)
        for row in range(0, a, rows):
            part = Geometry((min(rows, a - row), n1, b, n2, c), self.tile)
            yield part, row * n1 * b * n2 * c, row * per_row


def _axes(fmt: BlockFloat, ndim: int) -> list[tuple[int, int | None]]:
    if fmt.axis is None:
        return [(axis, None) for axis in range(ndim)]
    axes = fmt.axis if isinstance(fmt.axis, tuple) else (fmt.axis,)
    sizes = fmt.block_size if isinstance(fmt.block_size, tuple) else (fmt.block_size,) * len(axes)
    for axis in axes:
        if not -ndim <= axis < ndim:
            raise ValueError(
                f"{fmt} has axis={axis}, x has {ndim} dimensions; write an axis in [{-ndim}, "
                f"{ndim - 1}]"
            )
    found = {axis % ndim: size for axis, size in zip(axes, sizes, strict=True)}
    if len(found) < len(axes):
        raise ValueError(f"{fmt} names an axis twice for an array of {ndim} dimensions")
    return sorted(found.items())


@lru_cache(maxsize=4096)
def geometry(fmt: BlockFloat, shape: tuple[int, ...]) -> Geometry:
    """The view and the tile of ``fmt`` over an array of ``shape``; 0-d arrays count as one element.

    Raises:
        ValueError: an axis that the array lacks, or blocks along more than two separate axes.
    """
    shape = shape or (1,)
    merged: list[list[int]] = []  # first axis, past-last axis, length, tile
    for axis, size in _axes(fmt, len(shape)):
        whole = size is None or size >= shape[axis]
        if merged and merged[-1][1] == axis and whole:
            last = merged[-1]
            last[1], last[2], last[3] = axis + 1, last[2] * shape[axis], last[3] * shape[axis]
        else:
            merged.append([axis, axis + 1, shape[axis], min(size or shape[axis], shape[axis])])
    if len(merged) > 2:
        raise ValueError(
            f"{fmt} has blocks along {len(merged)} separate axes; two at most are supported"
        )
    if len(merged) == 1:
        first, past, n, tile = merged[0]
        full = (prod(shape[:first]), 1, 1, n, prod(shape[past:]))
        return Geometry(full, (1, max(tile, 1)))
    (f1, p1, n1, t1), (f2, p2, n2, t2) = merged
    full = (prod(shape[:f1]), n1, prod(shape[p1:f2]), n2, prod(shape[p2:]))
    return Geometry(full, (max(t1, 1), max(t2, 1)))


def moved(fmt: BlockFloat, to: Callable[[int], int]) -> BlockFloat:
    """``fmt`` with its axes where ``to`` says."""
    if isinstance(fmt.axis, tuple):
        return replace(fmt, axis=tuple(map(to, fmt.axis)))
    return fmt if fmt.axis is None else replace(fmt, axis=to(fmt.axis))


def is_served(fmt: BlockFloat, shape: tuple[int, ...]) -> bool:
    """Whether ``geometry`` has a view."""
    try:
        geometry(fmt, shape)
    except ValueError:
        return False
    return True


def scales_shape(fmt: BlockFloat, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape of the array of scales that belongs to an array of ``shape``: blocked axes count
    blocks."""
    shape = shape or (1,)
    out = list(shape)
    for axis, size in _axes(fmt, len(shape)):
        out[axis] = -(-shape[axis] // size) if size else min(shape[axis], 1)
    return tuple(out)


def block_maxima(sizes: Any, tile: tuple[int, int]) -> Any:
    """The largest element of every tile of a five-dimensional array."""
    for axis, step in ((1, tile[0]), (3, tile[1])):
        sizes = np.maximum.reduceat(sizes, np.arange(0, sizes.shape[axis], step), axis=axis)
    return sizes


def spread(scales: Any, shape: tuple[int, ...], tile: tuple[int, int]) -> Any:
    """One value a block, repeated over the block's elements (five dimensions)."""
    wide = np.repeat(scales, tile[0], axis=1)[:, : shape[1]]
    return np.repeat(wide, tile[1], axis=3)[:, :, :, : shape[3]]
