"""Tasks over reals as launches: random words and normals, blocks with scales of any kind, decoding,
Langevin steps; and draws (``cuda_draw_tasks.py``).
"""

from typing import Any

import numpy as np

from numformats.backends.cuda_draw_source import Law, spread_of
from numformats.backends.cuda_draw_tasks import DrawTasks
from numformats.backends.cuda_langevin_source import LangevinUnit
from numformats.backends.cuda_launch import (
    FEW_BLOCKS,
    FLIGHT,
    NO_TILING,
    grid_of,
    stream_of,
    tiling_of,
)
from numformats.backends.cuda_scaled_source import DecodeUnit, ScaledUnit, ShortUnit
from numformats.backends.cuda_source import Unit
from numformats.backends.task import (
    DecodeTask,
    LangevinTask,
    ScaledTask,
)
from numformats.lanes import LANE32, LANE64, Lane, name_of


class RealTasks(DrawTasks):
    """Those functions of a backend."""

    def words(self, out: Any, key: tuple[Any, Any], first: int) -> None:
        """Random words for elements ``first`` onwards."""
        lane = LANE32 if np.dtype(out.dtype) == np.uint32 else LANE64
        self._random(lane, "words", out, stream_of(key, first))

    def normals(self, out: Any, key: tuple[Any, Any], first: int) -> None:
        """Standard normals for elements ``first`` onwards."""
        self._random(LANE32, f"normals_{name_of(out.dtype)}", out, stream_of(key, first))

    def scaled(self, task: ScaledTask) -> float:
        """Round (or encode) in blocks with scales of any kind; where encoding, the scale of the
        whole array."""
        lanes = self.row_lanes(task.x, task.out, task.geometry) if task.short else 0
        if lanes:
            return self._float_rows(task, lanes)
        scales = task.scales if task.encode else None
        totals, second = self._levels(
            task.x, None, task.geometry, task.levels, scales, task.tensor_scale
        )
        real, out = (name_of(a.dtype) for a in (task.x, task.out))
        lane, lowered, codes = task.elements
        unit = ScaledUnit(lowered, codes, task.mode, real, out, task.encode, lane)
        n, at = task.x.size, self.machine.address
        vectors = self.vectors(n, task.geometry, task.x, task.out)
        where = (at(totals), np.uint64(n), np.uint64(vectors), *tiling_of(task.geometry))
        stream = (*stream_of(task.words, task.first), lane.unsigned(task.spare))
        args = (at(task.x), at(task.out), *where, *stream)
        self.machine.launch(unit, 0, grid_of(max(vectors, n - 4 * vectors)), args, task.x)
        return self._whole(task, second)

    def _whole(self, task: ScaledTask, second: Any) -> float:
        """The scale of the whole array; only one that was found waits for the device."""
        found = task.encode and task.finds_scale
        return float(self.machine.read(second)[0]) if found else task.known_scale

    def _float_rows(self, task: ScaledTask, lanes: int) -> float:
        """``scaled`` in the 32-bit lane."""
        short, how, at = task.short, task.levels, self.machine.address
        assert short is not None
        scale, out = (name_of(a.dtype) for a in (task.scales, task.out))
        spec = (float(how.spec.element_max), float(how.spec.tensor_limit))
        unit = ShortUnit(short, spec, how.mode, task.mode, lanes, out, task.encode, scale)
        finite, second = (self.machine.zeros(1, kind, task.x) for kind in (np.uint64, np.float64))
        vectors = task.x.size // 4
        size, grid = np.uint64(vectors), grid_of(-(-vectors // FLIGHT), FEW_BLOCKS)
        if task.finds_scale:
            self.machine.launch(unit, 0, grid, (at(task.x), at(finite), size), task.x)
        places = (at(task.x), at(task.out), at(task.scales) if task.encode else 0)
        stream = (*stream_of(task.words, task.first), LANE32.unsigned(task.spare))
        args = (*places, at(finite), at(second), np.float64(task.tensor_scale), size, *stream)
        self.machine.launch(unit, 1, grid, args, task.x)
        return self._whole(task, second)

    def decode(self, task: DecodeTask) -> None:
        """The values of stored codes."""
        code, real = (name_of(a.dtype) for a in (task.codes, task.out))
        n, at, blocks = task.codes.size, self.machine.address, task.geometry is not None
        vectors = self.vectors(n, task.geometry, task.codes, task.out)
        scales = (at(task.totals) if blocks else 0, np.float64(task.second))
        tiling = tiling_of(task.geometry) if task.geometry is not None else NO_TILING
        where = (*scales, np.uint64(n), np.uint64(vectors), *tiling)
        args = (at(task.codes), at(task.out), *where)
        unit = DecodeUnit(task.spec, code, real)
        self.machine.launch(unit, 0, grid_of(max(vectors, n - 4 * vectors)), args, task.codes)

    def langevin(self, task: LangevinTask) -> None:
        """One Langevin step."""
        unit = LangevinUnit(
            task.gradient, task.weight, task.mode, task.draw, Law.of(task.short), task.flags
        )
        n = task.theta.size
        arrays = (task.theta, task.grad, task.stored, task.seen)
        places = [self.machine.address(a) for a in arrays]
        vectors = self.vectors(n, None, *arrays)
        k = task.keys
        self.machine.launch(
            unit,
            0,
            self.few(n, vectors),
            (
                *places, np.uint64(n), np.uint64(vectors), task.lr, task.decay, task.sigma,
                task.low, task.high, *spread_of(task.short, task.variance),
                *k.gradient, *k.noise, *k.weight, *k.other,
                self.machine.address(task.counts),
            ),
            task.theta,
        )  # fmt: skip

    def _random(self, lane: Lane, name: str, out: Any, stream: tuple[Any, ...]) -> None:
        unit = Unit(lane)
        entry = [e.name for e in unit.entries("")].index(name)
        args = (self.machine.address(out), np.uint64(out.size), *stream)
        self.machine.launch(unit, entry, grid_of(out.size), args, out)
