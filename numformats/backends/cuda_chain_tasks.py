"""Rounded accumulations as launches of CUDA kernels."""

from typing import Any

import numpy as np

from numformats.backends.chain_task import ChainTask, PlainTask
from numformats.backends.cuda_chain_source import ChainUnit, PlainUnit
from numformats.backends.cuda_dot_tasks import sizes_of
from numformats.backends.cuda_launch import Launcher, grid_of
from numformats.lanes import name_of


class ChainTasks(Launcher):
    """Those functions of a backend."""

    def chains(self, task: ChainTask) -> None:
        """Accumulations that are rounded step by step."""
        real = name_of(task.out.dtype)
        unit = ChainUnit(task.product, task.inner, task.outer, task.tree, real)
        steps = (task.product, task.inner, task.outer)
        random = any(step is not None and step.mode.stochastic for step in steps)
        keys = self.machine.upload(task.keys, task.out) if random else None
        stream = (self.place(keys), np.uint64(task.first), np.uint64(task.chunk))
        self._accumulate(unit, task, keys, stream)

    def plain(self, task: PlainTask) -> None:
        """Accumulations with one fixed rule."""
        a, b, real = (name_of(x.dtype) for x in (task.a, task.b, task.out))
        unit = PlainUnit(
            task.kind, task.length, task.step, a, b, real, task.limits != (0, 0)
        )  # fmt: skip
        limits = tuple(map(np.int64, task.limits)) if task.kind == "integer" else ()
        self._accumulate(unit, task, None, limits)

    def _accumulate(self, unit: Any, task: Any, keep: Any, more: tuple[Any, ...]) -> None:
        """Launch a thread for every result; ``keep`` holds memory that the kernel reads."""
        at = [self.table(v, task.out) for v in (task.a_at, task.b_at)]
        places = [self.place(v) for v in (task.a, task.b, *at, task.out)]
        args = (*places, *more, *sizes_of(task.out, task.a.shape[2]))
        self.machine.launch(unit, 0, grid_of(task.out.size), args, task.out)
