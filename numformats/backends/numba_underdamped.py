"""The Numba CPU backend's underdamped steps."""

from typing import Any

import numpy as np

from numformats.backends.numba_kernels import SMALL, compiled
from numformats.backends.numba_text import TASK, Flags
from numformats.backends.task import drawn_on
from numformats.backends.underdamped_task import UNDERDAMPED_FLAGS, UnderdampedTask
from numformats.core.short_draw import ShortDraw
from numformats.core.underdamped import velocity_scale


def underdamped(task: UnderdampedTask) -> None:
    """One underdamped step."""
    kernel = _kernel("underdamped", task, task.short)
    flags = tuple(name in task.flags for name in UNDERDAMPED_FLAGS)
    counts, tops = _per_task(task, np.int64), _per_task(task, np.uint32)
    k = task.keys
    keys = (*k.gradient, *k.noise, *k.weight, *k.other, *task.noise_key)
    arrays = (
        task.theta, task.velocity, task.grad, task.stored, task.seen, task.moved, task.left,
    )  # fmt: skip
    down, up = (low.grid for low in task.neighbours)
    grids = (task.gradient.grid, task.weight.grid, down, up, task.short or task.draw)
    scalars = (task.decay, task.scalars, task.variance)
    kernel(*arrays, *scalars, *grids, task.low, task.high, keys, k.first, counts, tops, flags)
    if task.few_bits:
        with np.errstate(all="ignore"):
            top, widest = tops.max(axis=0).view(np.float32)
            scale = velocity_scale(top, widest, task.largest, task.least)
        task.found.view(np.float64)[4] = scale
        _velocities(task, scale, counts)
    task.found[:2] += counts.sum(axis=0)


def _velocities(task: UnderdampedTask, scale: Any, counts: Any) -> None:
    """Round or draw the velocity in units of ``scale``; adds to the counts."""
    keys = tuple(word for key in task.velocity_keys for word in key)
    grids = (task.weight.grid, task.draw, *task.own, task.low, task.high)
    drawn = "DRAWN" in task.flags
    given = (task.moved, task.left, np.float32(scale))
    _kernel("velocities", task)(*given, *grids, keys, task.keys.first, counts, drawn)


def _kernel(loop: str, task: UnderdampedTask, short: ShortDraw | None = None) -> Any:
    flags = Flags(task.general, **drawn_on(task.draw, short))
    return compiled(loop, task.theta.size > SMALL, task.mode, flags=flags)


def _per_task(task: UnderdampedTask, dtype: Any) -> Any:
    return np.zeros((-(-task.theta.size // TASK), 2), dtype)
