"""How operands are laid out along K on a device: where every stored element comes from."""

from typing import Any

import numpy as np

from numformats.backends.reading_task import FILLER, ZERO_PLACE, Layout
from numformats.engines.matrices import Matrices
from numformats.engines.splitting import Groups


def layout(x: Matrices, axis: int, places: Any = None) -> Layout:
    """``places`` along ``axis`` of an operand (batches, rows, columns); None: all."""
    batches, rows, columns = x.shape
    stored = x.shape[axis] if places is None else len(places)
    if axis == 1:
        first, line, lines = progression(x.starts)
        return Layout(batches, stored, columns, rows, line, x.row, x.column, first, lines, places)
    first, line, lines = _all_rows(x)
    return Layout(batches * rows, stored, 1, columns, line, x.column, 0, first, lines, places)


def _all_rows(x: Matrices) -> tuple[int, int, Any]:
    """Where the rows of all batches start, as ``progression``."""
    first, step, starts = progression(x.starts)
    if x.rows == 1:
        return first, step, starts
    if len(x.starts) == 1 or (starts is None and step == x.rows * x.row):
        return first, x.row, None
    each = np.arange(x.rows, dtype=np.int64) * x.row
    return 0, 0, (x.starts[:, None] + each).reshape(-1)


def progression(starts: Any) -> tuple[int, int, Any]:
    """The first of some numbers and the step between them; where steps differ, 0, 0 and a table."""
    steps = np.diff(starts)
    if len(steps) and (steps != steps[0]).any():
        return 0, 0, starts
    return int(starts[0]), int(steps[0]) if len(steps) else 0, None


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


def spread_layout(extent: tuple[int, ...], x: Matrices, at: Any) -> Layout:
    """An operand (batches, 1 or M, 1 or N) broadcast to ``extent`` (batch, M, N)."""
    batches, m, n = extent
    first, line, lines = progression(x.starts[at])
    step, column = (x.row if x.rows > 1 else 0), (x.column if x.columns > 1 else 0)
    return Layout(batches, m, n, m, line, step, column, first, lines)


def extent_of(shape: tuple[int, ...], axis: int, g: Layout) -> tuple[int, ...]:
    """The shape of an operand of ``shape`` laid out along ``axis``."""
    return tuple(g.stored if i == axis else n for i, n in enumerate(shape))
