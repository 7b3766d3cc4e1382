"""Tasks as launches of CUDA kernels: rounding and encoding on stored bits."""

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
from numformats.backends.task import BlockTask, ScalarTask
from numformats.lanes import name_of


class CudaTasks(RealTasks, UnderdampedTasks, ReadingTasks, DotTasks, ChainTasks):
    """The functions of a backend, on one machine."""

    def scalar(self, task: ScalarTask) -> None:
        """Round (or encode) every element of a flat array."""
        spec = Spec(
            task.carrier,
            task.mode,
            task.lowered,
            task.codes,
            task.encode,
            name_of(task.out.dtype),
            wrapping=task.wrapping,
        )
        n, x, out = task.x.size, self.machine.address(task.x), self.machine.address(task.out)
        itemsize, out_size = task.carrier.stored().itemsize, np.dtype(task.out.dtype).itemsize
        per = VECTOR // itemsize
        head = min(-(x // itemsize) % per, n)
        if x % itemsize or (out + head * out_size) % (per * out_size):
            head = n
        self.machine.launch(
            Unit(task.carrier.lane, spec),
            0,
            grid_of(-(-(n - head) // (per * FLIGHT)) if head < n else n),
            (
                x, out, np.uint64(n), np.uint64(head), *stream_of(task.words, task.first),
                task.carrier.lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def blocks(self, task: BlockTask) -> None:
        """Round (or encode) every element of an array in blocks with power-of-two scales."""
        spec = Spec(
            task.carrier,
            task.mode,
            task.lowered,
            task.codes,
            task.encode,
            name_of(task.out.dtype),
            task.scale,
            scales=name_of(task.scales.dtype),
        )
        lanes = self.row_lanes(task.x, task.out, task.geometry)
        if lanes:
            self._rows(task, spec, lanes)
        else:
            self._tiles(task, spec)

    def _rows(self, task: BlockTask, spec: Spec, lanes: int) -> None:
        n, per = task.x.size, VECTOR // task.carrier.stored().itemsize
        self.machine.launch(
            Unit(task.carrier.lane, spec, lanes),
            0,
            grid_of(-(-n // (per * FLIGHT))),
            (
                self.machine.address(task.x), self.machine.address(task.out), self._scales(task),
                np.uint64(n), *stream_of(task.words, task.first),
                task.carrier.lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def _tiles(self, task: BlockTask, spec: Spec) -> None:
        n, unit, tiling = task.x.size, Unit(task.carrier.lane, spec), tiling_of(task.geometry)
        amax = self.machine.zeros(task.geometry.blocks, task.carrier.lane.unsigned, task.x)
        x, top = self.machine.address(task.x), self.machine.address(amax)
        self.machine.launch(unit, 0, grid_of(n), (x, top, np.uint64(n), *tiling), task.x)
        self.machine.launch(
            unit,
            1,
            grid_of(n),
            (
                x, self.machine.address(task.out), self._scales(task), top, np.uint64(n), *tiling,
                *stream_of(task.words, task.first), task.carrier.lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def _scales(self, task: BlockTask) -> int:
        return self.machine.address(task.scales) if task.encode else 0
