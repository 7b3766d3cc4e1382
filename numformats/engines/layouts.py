"""How operands are laid out along K on a device: where every stored element comes from."""

from typing import Any

import numpy as np

from numformats.backends.reading_task import FILLER, ZERO_PLACE, Layout
from numformats.engines.splitting import Groups


def layout(shape: tuple[int, ...], axis: int, places: Any = None) -> Layout:
    """``places`` along ``axis`` of an operand (batches, rows, columns); None: all."""
    batches, rows, columns = shape
    stored = shape[axis] if places is None else len(places)
    if axis == 2:
        return Layout(batches * rows, stored, 1, columns, 1, places=places)
    return Layout(batches, stored, columns, rows, columns, places=places)


def padded_places(count: int, multiple: int) -> Any:
    """Indices up to ``count``, then zeros up to a ``multiple``; None: nothing is filled up."""
    if count % multiple == 0:
        return None
    places = np.full(-(-count // multiple) * multiple, ZERO_PLACE, np.int64)
    places[:count] = np.arange(count)
    return places


def grouped_places(groups: Groups, count: int) -> Any:
    """Where the indices that ``groups`` stores come from."""
    whole = -(-count // groups.length)
    if groups.stored == groups.length and groups.parts == 1 and count % groups.length == 0:
        return None
    places = np.full(whole * groups.stored, FILLER, np.int64)
    stored = groups.places(whole * groups.length)
    places[stored] = ZERO_PLACE
    places[stored[:count]] = np.arange(count)
    return places


def spread_layout(extent: tuple[int, ...], shape: tuple[int, ...], lines: Any) -> Layout:
    """An operand of ``shape`` (batches, 1 or M, 1 or N) broadcast to ``extent`` (batch, M, N)."""
    (batches, m, n), (_, rows, columns) = extent, shape
    places = None if rows == m else np.zeros(m, np.int64)
    return Layout(batches, m, n, rows, columns, lines=lines, places=places)


def extent_of(shape: tuple[int, ...], axis: int, g: Layout) -> tuple[int, ...]:
    """The shape of an operand of ``shape`` laid out along ``axis``."""
    return tuple(g.stored if i == axis else n for i, n in enumerate(shape))
