"""Tasks as launches of CUDA kernels: rounding and encoding on stored bits."""

from functools import lru_cache
from typing import Any

import numpy as np

from numformats.backends.cuda_chain_tasks import ChainTasks
from numformats.backends.cuda_dot_tasks import DotTasks
from numformats.backends.cuda_launch import (
    FLIGHT,
    VECTOR,
    grid_of,
    stream_of,
    tiling_of,
)
from numformats.backends.cuda_reading_tasks import ReadingTasks
from numformats.backends.cuda_real_tasks import RealTasks
from numformats.backends.cuda_source import Spec, Unit
from numformats.backends.cuda_underdamped_tasks import UnderdampedTasks
from numformats.backends.task import BlockTask, Rule, ScalarTask
from numformats.lanes import name_of, size_of


@lru_cache(maxsize=4096)
def _unit(rule: Rule, encode: bool, out: Any, scales: Any = np.uint8, lanes: int = 0) -> Unit:
    """The kernels of a rule, for results and scale codes of those dtypes."""
    spec = Spec(
        rule.carrier, rule.mode, rule.lowered, rule.codes, encode, name_of(out), rule.scale,
        rule.wrapping, name_of(scales),
    )  # fmt: skip
    return Unit(rule.carrier.lane, spec, lanes)


class CudaTasks(RealTasks, UnderdampedTasks, ReadingTasks, DotTasks, ChainTasks):
    """The functions of a backend, on one machine."""

    def scalar(self, task: ScalarTask) -> None:
        """Round (or encode) every element of a flat array."""
        lane, n = task.rule.carrier.lane, task.x.size
        x, out = self.machine.address(task.x), self.machine.address(task.out)
        itemsize, out_size = size_of(task.rule.carrier.stored), size_of(task.out.dtype)
        per = VECTOR // itemsize
        head = min(-(x // itemsize) % per, n)
        if x % itemsize or (out + head * out_size) % (per * out_size):
            head = n
        self.machine.launch(
            _unit(task.rule, task.encode, task.out.dtype),
            0,
            grid_of(-(-(n - head) // (per * FLIGHT)) if head < n else n),
            (
                x, out, np.uint64(n), np.uint64(head), *stream_of(task.words, task.first),
                lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def blocks(self, task: BlockTask) -> None:
        """Round (or encode) every element of an array in blocks with power-of-two scales."""
        lanes = self.row_lanes(task.x, task.out, task.geometry)
        unit = _unit(task.rule, task.encode, task.out.dtype, task.scales.dtype, lanes)
        if lanes:
            self._rows(task, unit)
        else:
            self._tiles(task, unit)

    def _rows(self, task: BlockTask, unit: Unit) -> None:
        n, per = task.x.size, VECTOR // size_of(task.x.dtype)
        self.machine.launch(
            unit,
            0,
            grid_of(-(-n // (per * FLIGHT))),
            (
                self.machine.address(task.x), self.machine.address(task.out), self._scales(task),
                np.uint64(n), *stream_of(task.words, task.first),
                unit.lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def _tiles(self, task: BlockTask, unit: Unit) -> None:
        n, tiling = task.x.size, tiling_of(task.geometry)
        amax = self.machine.zeros(task.geometry.blocks, unit.lane.unsigned, task.x)
        x, top = self.machine.address(task.x), self.machine.address(amax)
        self.machine.launch(unit, 0, grid_of(n), (x, top, np.uint64(n), *tiling), task.x)
        self.machine.launch(
            unit,
            1,
            grid_of(n),
            (
                x, self.machine.address(task.out), self._scales(task), top, np.uint64(n), *tiling,
                *stream_of(task.words, task.first), unit.lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def _scales(self, task: BlockTask) -> int:
        return self.machine.address(task.scales) if task.encode else 0
