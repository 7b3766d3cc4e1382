"""Fused dot products as launches of CUDA kernels."""

from typing import Any

import numpy as np

from numformats.backends.cuda_dot_source import TILE, TRUNCATED, DotUnit, GroupsUnit
from numformats.backends.cuda_launch import MOST_BLOCKS, Launcher, grid_of
from numformats.backends.dot_task import DotTask, Factor, ScaledDotTask
from numformats.lanes import name_of


def tiles_of(out: Any) -> int:
    """Thread blocks for the tiles of results ``out`` (batch, M, N)."""
    batches, m, n = out.shape
    return int(min(batches * -(-m // TILE) * -(-n // TILE), MOST_BLOCKS))


def sizes_of(out: Any, count: int) -> tuple[Any, ...]:
    """Batches, M, N and K as kernel arguments."""
    return tuple(np.uint64(v) for v in (*out.shape, count))


class DotTasks(Launcher):
    """Those functions of a backend."""

    def dots(self, task: DotTask) -> None:
        """Fused dot products of every row with every column."""
        unit = DotUnit(
            task.rule, task.spec, task.grid, task.mode, task.general, task.nan, task.group,
            task.wide, task.run, name_of(task.out.dtype),
        )  # fmt: skip
        a = self._shared(0, np.uint8, task.a.kind, task.group, 2)
        b = self._shared(0, np.uint8, task.b.kind, task.group, 1)
        self._launch(unit, (), (task.a, task.b), (a, b), task, task.a.sig.shape[2])

    def scaled_dots(self, task: ScaledDotTask) -> None:
        """Exact sums of groups, scaled, aligned and added."""
        unit = DotUnit(
            TRUNCATED, task.spec, task.grid, task.mode, task.general, task.nan, task.group, True,
            task.group, name_of(task.out.dtype), task.count,
        )  # fmt: skip
        a = self._shared(1, np.uint64, task.a, task.group, 2)
        b = self._shared(1, np.uint64, task.b, task.group, 1)
        scales = (task.a_scale, task.b_scale)
        self._launch(unit, (task.a, task.b), scales, (a, b), task, task.a.shape[2])

    def _shared(self, entry: int, dtype: Any, x: Any, group: int, axis: int) -> Any:
        """What groups along ``axis`` have in common."""
        n, inner = x.size // group, x.shape[2] if axis == 1 else 1
        out = self.machine.zeros(n, dtype, x)
        sizes = (np.uint64(v) for v in (n, group, inner))
        at = self.machine.address
        self.machine.launch(GroupsUnit(), entry, grid_of(n), (at(x), at(out), *sizes), x)
        return out

    def _launch(
        self,
        unit: DotUnit,
        numbers: tuple[Any, ...],
        factors: tuple[Factor, Factor],
        shared: tuple[Any, Any],
        task: Any,
        count: int,
    ) -> None:
        arrays = list(numbers)
        for x, more in zip(factors, shared, strict=True):
            arrays += [x.sig, x.exp, x.kind, more]
        arrays += [self.table(v, task.out) for v in (task.a_at, task.b_at)]
        places = (self.place(v) for v in (*arrays, task.out))
        args = (*places, *sizes_of(task.out, count))
        self.machine.launch(unit, 0, tiles_of(task.out), args, task.out)
