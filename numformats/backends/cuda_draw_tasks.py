"""Variance-corrected draws, and the scales of blocks over reals, as launches."""

from typing import Any

import numpy as np

from numformats.backends.cuda_block_draw_source import BlockDrawUnit
from numformats.backends.cuda_draw_source import DrawUnit, Law, spread_of
from numformats.backends.cuda_launch import NO_TILING, Launcher, grid_of, tiling_of
from numformats.backends.cuda_scaled_source import LevelsUnit
from numformats.backends.task import BlockDrawTask, DrawTask, Levels
from numformats.blocking import Geometry
from numformats.core.block_draw import ShortBlocks
from numformats.lanes import name_of


class DrawTasks(Launcher):
    """Those functions of a backend."""

    def draws(self, task: DrawTask) -> None:
        """Variance-corrected draws."""
        self._draws(task, None, None)

    def block_draws(self, task: BlockDrawTask) -> None:
        """As ``draws``, in blocks."""
        d = task.draw
        if task.short:
            self._short_block_draws(d, task.short, task.geometry)
            return
        totals, _ = self._levels(d.mean, d.variance, task.geometry, task.levels, None)
        self._draws(d, totals, task.geometry)

    def _draws(self, task: DrawTask, totals: Any, g: Geometry | None) -> None:
        real, at, n = name_of(task.out.dtype), self.machine.address, task.out.size
        each, law = task.own is not None or task.variance.size > 1, Law.of(task.short)
        spread = name_of(task.variance.dtype)
        unit = DrawUnit(task.grid, real, each, spread, task.own, g is not None, law)
        vectors = self.vectors(n, g, task.mean, task.out)
        given, common = self._variance(task.variance, each)
        variance = (given, *spread_of(task.short, common))
        arrays = (at(task.mean), *variance, at(task.out), self.place(task.counts))
        where = (self.place(totals), *(tiling_of(g) if g is not None else NO_TILING))
        keys = (*task.key, *task.other_key, np.uint64(task.first))
        args = (*arrays, np.uint64(n), np.uint64(vectors), *where, *keys)
        self.machine.launch(unit, 0, self.few(n, vectors), args, task.out)

    def _short_block_draws(self, d: DrawTask, short: ShortBlocks, g: Geometry) -> None:
        at, n, lanes = self.machine.address, d.out.size, self.row_lanes(d.mean, d.out, g)
        unit = BlockDrawUnit(d.grid, Law.in_blocks(short.unit), tuple(short.scale), lanes)
        variance = np.float64(d.variance[0])
        spread = (*spread_of(short.unit, variance), variance, np.sqrt(variance))
        keys = (*d.key, *d.other_key, np.uint64(d.first))
        rule, places = (*spread, short.low, short.high, *keys), (at(d.mean), at(d.out))
        counted = (self.place(d.counts), np.uint64(n))
        if lanes:
            blocks = self.few(n, n // 4)
            self.machine.launch(unit, 0, blocks, (*places, *counted, *rule), d.out)
        else:
            amax, tiling = self.machine.zeros(g.blocks, np.uint32, d.out), tiling_of(g)
            seen = (at(d.mean), at(amax), np.uint64(n), *tiling)
            self.machine.launch(unit, 0, grid_of(n), seen, d.out)
            args = (*places, at(amax), *counted, *tiling, *rule)
            self.machine.launch(unit, 1, self.few(n, 0), args, d.out)

    def _variance(self, variance: Any, each: bool) -> tuple[int, Any]:
        """Address of an array of variances, or 0 and the common one."""
        if variance is None:
            return 0, np.float64(0.0)
        if each:
            return self.machine.address(variance), np.float64(0.0)
        return 0, np.float64(variance[0])

    def _levels(
        self,
        x: Any,
        variance: Any,
        g: Geometry,
        how: Levels,
        scales: Any,
        given: float = 0.0,
    ) -> tuple[Any, Any]:
        """Scales of all blocks, that of the array multiplied in, and that of the array; with a
        ``variance``, scales that cover draws."""
        code = name_of(scales.dtype) if scales is not None else ""
        unit = LevelsUnit(how, name_of(x.dtype), variance is not None, code)
        tops = self.machine.zeros(g.blocks, np.uint64, x)
        totals = self.machine.zeros(g.blocks, np.float64, x)
        finite, second = (self.machine.zeros(1, kind, x) for kind in (np.uint64, np.float64))
        at = self.machine.address
        vectors = self.vectors(x.size, g, x)
        each = variance is not None and variance.size > 1
        seen = (at(x), *self._variance(variance, each), at(tops), at(finite), np.uint64(x.size))
        args = (*seen, np.uint64(vectors), *tiling_of(g))
        self.machine.launch(unit, 0, self.few(x.size, vectors), args, x)
        made = (
            at(totals),
            at(scales) if code else 0,
            at(second),
            np.float64(given),
            np.uint64(g.blocks),
        )
        self.machine.launch(unit, 1, grid_of(g.blocks), (at(tops), at(finite), *made), x)
        return totals, second
