"""Tasks as launches of CUDA kernels, for any machine that compiles and launches them: CuPy's, or a
host that runs the same source.
"""

from typing import Any, Protocol

import numpy as np

from numformats.backends.cuda_source import Spec, Unit
from numformats.backends.task import BlockTask, DrawTask, ScalarTask
from numformats.lanes import LANE32, LANE64, Lane

THREADS = 256
FLIGHT = 4  # vectors that a thread has under way, as in cuda/scalar.cuh
MOST_BLOCKS = 1 << 20  # beyond them threads stride over the rest
VECTOR = 16  # bytes of one load


class Machine(Protocol):
    """What runs kernels. Arrays are whatever the machine's tasks hold."""

    def address(self, array: Any) -> int:
        """Address of the first element."""

    def zeros(self, n: int, dtype: Any, like: Any) -> Any:
        """Zeroed scratch memory where ``like`` lies."""

    def read(self, array: Any) -> Any:
        """A scratch array as NumPy, after everything before it has run."""

    def launch(self, unit: Unit, entry: int, blocks: int, args: tuple[Any, ...], like: Any) -> None:
        """Launch kernel ``entry`` of ``unit``, ``THREADS`` threads a block, where ``like`` lies."""


def _blocks(threads: int) -> int:
    return min(max(-(-threads // THREADS), 1), MOST_BLOCKS)


def _stream(words: tuple[Any, Any], first: int) -> tuple[Any, Any, Any]:
    return (*words, np.uint64(first))


class CudaTasks:
    """The functions of a backend, on one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def scalar(self, task: ScalarTask) -> None:
        """Round (or encode) every element of a flat array."""
        spec = Spec(
            task.carrier,
            task.mode,
            task.lowered,
            task.codes,
            task.encode,
            np.dtype(task.out.dtype).name,
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
            _blocks(-(-(n - head) // (per * FLIGHT)) if head < n else n),
            (
                x, out, np.uint64(n), np.uint64(head), *_stream(task.words, task.first),
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
            np.dtype(task.out.dtype).name,
            task.scale,
            scales=np.dtype(task.scales.dtype).name,
        )
        lanes = self._lanes(task)
        if lanes:
            self._rows(task, spec, lanes)
        else:
            self._tiles(task, spec)

    def _lanes(self, task: BlockTask) -> int:
        """Vectors a block, where one pass serves: whole blocks along memory, a power of two of
        them up to a warp, aligned."""
        _, n1, b, n2, c = task.geometry.shape
        tile, per = task.geometry.tile[1], VECTOR // task.carrier.stored().itemsize
        lanes, rest = divmod(tile, per)
        whole = n1 == b == c == 1 and n2 % tile == 0 and rest == 0
        out_vector = per * np.dtype(task.out.dtype).itemsize
        aligned = self.machine.address(task.x) % VECTOR == 0
        aligned = aligned and self.machine.address(task.out) % out_vector == 0
        return lanes if whole and aligned and lanes in (1, 2, 4, 8, 16, 32) else 0

    def _rows(self, task: BlockTask, spec: Spec, lanes: int) -> None:
        n, per = task.x.size, VECTOR // task.carrier.stored().itemsize
        self.machine.launch(
            Unit(task.carrier.lane, spec, lanes),
            0,
            _blocks(-(-n // (per * FLIGHT))),
            (
                self.machine.address(task.x), self.machine.address(task.out), self._scales(task),
                np.uint64(n), *_stream(task.words, task.first),
                task.carrier.lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def _tiles(self, task: BlockTask, spec: Spec) -> None:
        (_, n1, b, n2, c), (t1, t2) = task.geometry.shape, task.geometry.tile
        counts, n, unit = task.geometry.scales_shape, task.x.size, Unit(task.carrier.lane, spec)
        tiling = tuple(np.uint64(v) for v in (n1, b, n2, c, t1, t2, counts[1], counts[3]))
        amax = self.machine.zeros(int(np.prod(counts)), task.carrier.lane.unsigned, task.x)
        x, top = self.machine.address(task.x), self.machine.address(amax)
        self.machine.launch(unit, 0, _blocks(n), (x, top, np.uint64(n), *tiling), task.x)
        self.machine.launch(
            unit,
            1,
            _blocks(n),
            (
                x, self.machine.address(task.out), self._scales(task), top, np.uint64(n), *tiling,
                *_stream(task.words, task.first), task.carrier.lane.unsigned(task.spare),
            ),
            task.x,
        )  # fmt: skip

    def _scales(self, task: BlockTask) -> int:
        return self.machine.address(task.scales) if task.encode else 0

    def words(self, out: Any, key: tuple[Any, Any], first: int) -> None:
        """Random words for elements ``first`` onwards."""
        lane = LANE32 if np.dtype(out.dtype) == np.uint32 else LANE64
        self._random(lane, "words", out, (), _stream(key, first))

    def normals(self, out: Any, key: tuple[Any, Any], first: int) -> None:
        """Standard normals for elements ``first`` onwards."""
        self._random(LANE32, f"normals_{np.dtype(out.dtype).name}", out, (), _stream(key, first))

    def draws(self, task: DrawTask) -> tuple[int, int]:
        """Variance-corrected draws; the numbers of elements with too much variance and beyond the
        range."""
        counts = self.machine.zeros(2, np.uint64, task.out) if task.counted else None
        several = task.variance.size > 1
        given = (
            self.machine.address(task.mean),
            self.machine.address(task.variance) if several else 0,
            np.float64(0.0 if several else task.variance[0]),
        )
        stream = (*task.key, *task.other_key, np.uint64(task.first), *task.grid)
        name = f"draws_{np.dtype(task.out.dtype).name}"
        at = self.machine.address(counts) if task.counted else 0
        self._random(LANE32, name, task.out, given, stream, at)
        if not task.counted:
            return 0, 0
        short, beyond = self.machine.read(counts)
        return int(short), int(beyond)

    def _random(
        self, lane: Lane, name: str, out: Any, before: tuple[Any, ...], after: tuple[Any, ...],
        *counts: int,
    ) -> None:  # fmt: skip
        unit = Unit(lane)
        entry = [e.name for e in unit.entries("")].index(name)
        args = (*before, self.machine.address(out), *counts, np.uint64(out.size), *after)
        self.machine.launch(unit, entry, _blocks(out.size), args, out)
