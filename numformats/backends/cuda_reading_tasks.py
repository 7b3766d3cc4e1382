"""Reading operands, and giving results their dtype, as launches of CUDA kernels."""

from typing import Any

import numpy as np

from numformats.backends.cuda_launch import Launcher, grid_of
from numformats.backends.cuda_reading_source import (
    AddUnit,
    CastUnit,
    FactorUnit,
    IntegersUnit,
    ReadUnit,
)
from numformats.backends.dot_task import NO_TERM, SplitTask
from numformats.backends.reading_task import (
    AddTask,
    CastTask,
    FactorTask,
    IntegersTask,
    Layout,
    ReadTask,
    WrapTask,
)


class ReadingTasks(Launcher):
    """Those functions of a backend."""

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Scratch memory where ``like`` lies."""
        return self.machine.empty(shape, dtype, like)

    def zeros(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """As ``empty``, of zeros."""
        return self.machine.zeros(shape, dtype, like)

    def split(self, task: SplitTask) -> int:
        """Split a flat operand; the join of all kinds."""
        n = task.x.size
        unit = FactorUnit(task.carrier, task.spec, False)
        made = (task.sig, task.exp, task.kind)
        fill, layout = (0, NO_TERM, 4), Layout(1, n, 1, n, 1)
        return self._factors(unit, task.x, made, None, 1, fill, layout, True)

    def factors(self, task: FactorTask) -> int:
        """Split an operand into a layout; the join of all kinds."""
        unit = FactorUnit(task.carrier, task.spec, task.magnitude)
        made = (task.out.sig, task.out.exp, task.out.kind)
        how = (task.scale, task.block, task.fill, task.layout, task.asked)
        return self._factors(unit, task.x, made, *how)

    def _factors(
        self,
        unit: FactorUnit,
        x: Any,
        made: Any,
        scale: Any,
        block: int,
        fill: tuple[int, int, int],
        g: Layout,
        asked: bool,
    ) -> int:
        at, found = self.machine.address, self.machine.zeros(1, np.uint32, x) if asked else None
        scales = (0, 0) if scale is None else (at(scale.exp), at(scale.kind))
        sizes = (np.uint64(-(-g.count // block)), np.uint64(block), *map(np.int64, fill))
        places = (at(x), *map(at, made), *scales)
        return self._laid_out(unit, 0, (*places, *sizes), g, found, x)

    def _laid_out(
        self, unit: Any, entry: int, args: tuple[Any, ...], g: Layout, found: Any, like: Any
    ) -> int:
        """Launch over a layout; what was found, if that is asked for."""
        tables = [self.table(t, like) for t in (g.lines, g.places)]
        sizes = (np.uint64(v) for v in (g.outer, g.stored, g.inner, g.count, g.source_inner))
        at = (self.place(found), *sizes, *(self.place(t) for t in tables))
        self.machine.launch(unit, entry, grid_of(g.size), (*args, *at), like)
        return 0 if found is None else int(self.machine.read(found)[0])

    def read(self, task: ReadTask) -> bool:
        """Read numbers; whether some are no values of the format."""
        names = (task.carrier.name, np.dtype(task.out.dtype).name)
        unit = ReadUnit(
            *names, task.check, task.nan, task.low, task.signed_zero, task.scale_exp
        )  # fmt: skip
        at, checks = self.machine.address, task.check is not None
        found = self.machine.zeros(1, np.uint32, task.x) if checks else None
        args = (at(task.x), at(task.out))
        return self._laid_out(unit, 0, args, task.layout, found, task.x) > 0

    def read_integers(self, task: IntegersTask) -> bool:
        """Read integers; whether some are beyond the limits."""
        unit = IntegersUnit(*(np.dtype(a.dtype).name for a in (task.x, task.out)))
        at, found = self.machine.address, self.machine.zeros(1, np.uint32, task.x)
        args = (at(task.x), at(task.out), *map(np.int64, task.limits))
        return self._laid_out(unit, 0, args, task.layout, found, task.x) > 0

    def wrap_integers(self, task: WrapTask) -> None:
        """Reduce integers to fewer bits."""
        unit = IntegersUnit(*(np.dtype(a.dtype).name for a in (task.x, task.out)))
        self._flat(unit, 1, task, np.int64(task.spare))

    def cast(self, task: CastTask) -> None:
        """Give numbers another dtype."""
        self._flat(CastUnit(task.source, task.target), 0, task)

    def add(self, task: AddTask) -> None:
        """Add an array to another, rounded."""
        unit = AddUnit(task.step, task.nan, np.dtype(task.out.dtype).name)
        self._flat(unit, 0, task)

    def _flat(self, unit: Any, entry: int, task: Any, *more: Any) -> None:
        at, n = self.machine.address, task.x.size
        args = (at(task.x), at(task.out), *more, np.uint64(n))
        self.machine.launch(unit, entry, grid_of(n), args, task.x)
