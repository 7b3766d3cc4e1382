"""Underdamped Langevin steps as launches of CUDA kernels."""

from typing import Any

import numpy as np

from numformats.backends.cuda_draw_source import Law, spread_of
from numformats.backends.cuda_launch import Launcher
from numformats.backends.cuda_underdamped_source import UnderdampedUnit
from numformats.backends.underdamped_task import UnderdampedTask


class UnderdampedTasks(Launcher):
    """That function of a backend."""

    def underdamped(self, task: UnderdampedTask) -> None:
        """One underdamped step."""
        between = "DRAWN" in task.flags and "FIXED" not in task.flags
        sides = task.neighbours if between else ()
        unit = UnderdampedUnit(
            task.gradient, task.weight, sides, task.mode, task.draw, task.own, Law.of(task.short),
            task.flags, task.few_bits,
        )  # fmt: skip
        drawn = (task.left,) if "DRAWN" in task.flags else ()
        arrays = (task.theta, task.velocity, task.grad, task.stored, task.seen, task.moved)
        vectors = self.vectors(task.theta.size, None, *arrays, *drawn)
        self._step(unit, task, (*arrays, task.left), vectors)
        if task.few_bits:
            self._velocities(unit, task, vectors)

    def _step(
        self, unit: UnderdampedUnit, task: UnderdampedTask, arrays: tuple[Any, ...], vectors: int
    ) -> None:
        n, k, at = task.theta.size, task.keys, self.machine.address
        self.machine.launch(
            unit,
            0,
            self.few(n, vectors),
            (
                *map(at, arrays), np.uint64(n), np.uint64(vectors), *task.scalars, task.decay,
                task.low, task.high, *spread_of(task.short, task.variance),
                *k.gradient, *k.noise, *k.weight, *k.other,
                *task.noise_key, at(task.found),
            ),
            task.theta,
        )  # fmt: skip

    def _velocities(self, unit: UnderdampedUnit, task: UnderdampedTask, vectors: int) -> None:
        n, at, (key, other) = task.theta.size, self.machine.address, task.velocity_keys
        self.machine.launch(
            unit,
            1,
            self.few(n, vectors),
            (
                at(task.moved), at(task.left), np.uint64(n), np.uint64(vectors), task.largest,
                task.least, task.low, task.high, *key, *other, at(task.found),
            ),
            task.theta,
        )  # fmt: skip
