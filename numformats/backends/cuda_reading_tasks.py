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
    flat_layout,
)
from numformats.lanes import name_of


class ReadingTasks(Launcher):
    """Those functions of a backend."""

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Scratch memory where ``like`` lies."""
        return self.machine.empty(shape, dtype, like)

    def zeros(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """As ``empty``, of zeros."""
        return self.machine.zeros(shape, dtype, like)

    def clear(self, out: Any) -> None:
        """Fill an array with zeros."""
        self.machine.clear(out)

    def seen(self, found: Any) -> int:
        """What tasks noted in ``found``; waits for the device."""
        return int(self.machine.read(found)[0])

    def split(self, task: SplitTask) -> int:
        """Split a flat operand; the join of all kinds."""
        n = task.x.size
        unit = FactorUnit(task.carrier, task.spec, False)
        made = (task.sig, task.exp, task.kind)
        fill, layout = (0, NO_TERM, 4), flat_layout(n)
        return self._factors(unit, task.x, made, None, 1, fill, layout, True, None)

    def factors(self, task: FactorTask) -> int:
        """Split an operand into a layout; the join of all kinds."""
        unit = FactorUnit(task.carrier, task.spec, task.magnitude)
        made = (task.out.sig, task.out.exp, task.out.kind)
        how = (task.scale, task.block, task.fill, task.layout, task.asked, task.found)
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
        found: Any,
    ) -> int:
        at = self.machine.address
        scales = (0, 0) if scale is None else (at(scale.exp), at(scale.kind))
        sizes = (np.uint64(-(-g.count // block)), np.uint64(block), *map(np.int64, fill))
        places = (at(x), *map(at, made), *scales)
        return self._checked(unit, (*places, *sizes), g, asked, found, x)

    def _checked(
        self, unit: Any, args: tuple[Any, ...], g: Layout, asked: bool, found: Any, like: Any
    ) -> int:
        """Launch over a layout; what was found, if that is asked for now."""
        now = asked and found is None
        noted = self.machine.zeros(1, np.uint32, like) if now else found
        self._laid_out(unit, 0, (*args, self.place(noted)), g, like)
        return self.seen(noted) if now else 0

    def _laid_out(self, unit: Any, entry: int, args: tuple[Any, ...], g: Layout, like: Any) -> None:
        tables = [None if t is None else self.machine.upload(t, like) for t in (g.lines, g.places)]
        counts = (np.uint64(v) for v in (g.outer, g.stored, g.inner))
        strides = (np.int64(v) for v in (g.first, g.line, g.step, g.column))
        at = (*counts, *strides, *map(self.place, tables))
        self.machine.launch(unit, entry, grid_of(g.size), (*args, *at), like)

    def read(self, task: ReadTask) -> bool:
        """Read numbers; whether some are no values of the format."""
        names = (task.carrier.name, name_of(task.out.dtype))
        unit = ReadUnit(
            *names, task.check, task.nan, task.low, task.signed_zero, task.scale_exp
        )  # fmt: skip
        args = (self.machine.address(task.x), self.machine.address(task.out))
        asked = task.check is not None
        return self._checked(unit, args, task.layout, asked, task.found, task.x) > 0

    def read_integers(self, task: IntegersTask) -> bool:
        """Read integers; whether some are beyond the limits."""
        unit = IntegersUnit(*(name_of(a.dtype) for a in (task.x, task.out)))
        at = self.machine.address
        args = (at(task.x), at(task.out), *map(np.int64, task.limits))
        return self._checked(unit, args, task.layout, task.asked, task.found, task.x) > 0

    def wrap_integers(self, task: WrapTask) -> None:
        """Reduce integers to fewer bits."""
        unit = IntegersUnit(*(name_of(a.dtype) for a in (task.x, task.out)))
        args = (self.machine.address(task.x), self.machine.address(task.out))
        self._laid_out(unit, 1, (*args, np.int64(task.spare)), task.layout, task.x)

    def cast(self, task: CastTask) -> None:
        """Give numbers another dtype."""
        args = (self.machine.address(task.x), self.machine.address(task.out))
        unit = CastUnit(task.source, task.target)
        self._laid_out(unit, int(task.puts), args, task.layout, task.x)

    def add(self, task: AddTask) -> None:
        """Add an array to another, rounded."""
        unit = AddUnit(task.step, task.nan, name_of(task.out.dtype))
        at, n = self.machine.address, task.x.size
        args = (at(task.x), at(task.out), np.uint64(n))
        self.machine.launch(unit, 0, grid_of(n), args, task.x)
