"""The Numba CUDA backend's underdamped steps."""

import numpy as np

from numformats.backends.numba_cuda_launch import compiled, few, launch
from numformats.backends.numba_cuda_real import written
from numformats.backends.task import drawn_on
from numformats.backends.underdamped_task import UNDERDAMPED_FLAGS, UnderdampedTask


def underdamped(task: UnderdampedTask) -> None:
    """One underdamped step."""
    _step(task)
    if task.few_bits:
        _velocities(task)


def _step(task: UnderdampedTask) -> None:
    """Everything up to the velocity's scale."""
    k = task.keys
    keys = (*k.gradient, *k.noise, *k.weight, *k.other, *task.noise_key, np.uint64(k.first))
    arrays = (task.theta, task.velocity, task.grad, *written(task), task.moved, task.left)
    scalars = (task.decay, task.scalars, task.variance)
    down, up = (low.grid for low in task.neighbours)
    grids = (task.gradient.grid, task.weight.grid, down, up, task.short or task.draw, task.general)
    flags = tuple(name in task.flags for name in UNDERDAMPED_FLAGS)
    given = (*arrays, *scalars, *grids, task.low, task.high, *keys, task.found)
    kernel = compiled("underdamped", task.mode, flags=flags, **drawn_on(task.draw, task.short))
    launch(kernel, few(task.theta.size), task.theta, *given)


def _velocities(task: UnderdampedTask) -> None:
    """The velocity in units of its scale, which the device finds."""
    arrays, limits = (task.moved, task.left), (task.largest, task.least)
    grids = (task.weight.grid, task.draw, *task.own, task.general, task.low, task.high)
    keys = (*(word for key in task.velocity_keys for word in key), np.uint64(task.keys.first))
    given, flags = (*arrays, *limits, *grids, *keys, task.found), ("DRAWN" in task.flags,)
    kernel = compiled("velocities", task.mode, flags=flags, **drawn_on(task.draw))
    launch(kernel, few(task.theta.size), task.theta, *given)
