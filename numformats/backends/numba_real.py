"""The Numba CPU backend over reals: random words and normals, draws, blocks with scales of any
kind, decoding, Langevin steps.
"""

from typing import Any

import numpy as np

from numformats.backends.numba_kernels import DOUBLE, SMALL, compiled
from numformats.backends.numba_text import CHUNKS, TASK, Flags
from numformats.backends.task import (
    STEP_FLAGS,
    BlockDrawTask,
    DecodeTask,
    DrawTask,
    LangevinTask,
    Levels,
    ScaledTask,
)
from numformats.blocking import Geometry
from numformats.lanes import CARRIERS


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards (uint32: 32-bit lanes, uint64: 64-bit lanes)."""
    carrier = CARRIERS["float32" if out.dtype == np.uint32 else "float64"]
    compiled("words", out.size > SMALL, carrier=carrier)(out, *key, first)


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    compiled("normals", out.size > SMALL)(out, *key, first)


def draws(task: DrawTask) -> tuple[int, int]:
    """Variance-corrected draws; the numbers of elements with too much variance and beyond the
    range."""
    counts = np.zeros((-(-task.mean.size // CHUNKS["draws"]), 2), np.int64)
    keys, run = (*task.key, *task.other_key), compiled("draws", task.mean.size > SMALL)
    run(task.mean, task.variance, task.out, *keys, task.first, task.grid, counts)
    short, beyond = counts.sum(axis=0)
    return int(short), int(beyond)


def _levels(
    x: Any, variance: Any, g: Geometry, how: Levels, scales: Any, encode: bool
) -> tuple[Any, float]:
    """Scales of all blocks (float64, that of the array multiplied in) and that of the array; with
    a ``variance``, scales that cover draws."""
    large, lane = x.size > SMALL, DOUBLE.lane
    tops, finite = np.zeros((2, g.blocks), np.uint64)
    reaching = Flags(reach=variance is not None)
    given = np.zeros(1) if variance is None else variance
    compiled("tops", large, carrier=DOUBLE, flags=reaching)(x, given, tops, finite, *g.tiling)
    totals, low = np.empty(g.blocks), how.lowered
    kernel = compiled("levels", large, how.mode, DOUBLE, Flags(power=how.is_power), encode)
    top = lane.unsigned(finite.max())
    grid = (low.grid, low.general, how.codes)
    second = kernel(tops, totals, scales, top, how.spec, how.power, *grid)
    return totals, float(second)


def scaled(task: ScaledTask) -> float:
    """Round (or encode) in blocks with scales of any kind; the scale of the whole array."""
    large, g = task.x.size > SMALL, task.geometry
    totals, second = _levels(task.x, None, g, task.levels, task.scales, task.encode)
    flags = Flags(task.lowered.general)
    kernel = compiled("scaled", large, task.mode, DOUBLE, flags, task.encode)
    stream = (*task.words, task.first, DOUBLE.lane.unsigned(task.spare))
    kernel(task.x, task.out, totals, *stream, task.lowered.grid, task.codes, *g.tiling)
    return second


def block_draws(task: BlockDrawTask) -> tuple[int, int]:
    """As ``draws``, in blocks."""
    d, g = task.draw, task.geometry
    totals, _ = _levels(d.mean, d.variance, g, task.levels, np.empty(1, np.uint8), False)
    counts = np.zeros((-(-g.blocks // CHUNKS["block_draws"]), 2), np.int64)
    keys = (*d.key, *d.other_key, d.first, d.grid)
    kernel = compiled("block_draws", d.mean.size > SMALL)
    kernel(d.mean, d.variance, d.out, totals, *keys, counts, *g.tiling)
    short, beyond = counts.sum(axis=0)
    return int(short), int(beyond)


def decode(task: DecodeTask) -> None:
    """The values of stored codes."""
    large = task.codes.size > SMALL
    if task.geometry is None:
        compiled("decoded", large, carrier=DOUBLE)(task.codes, task.out, task.spec)
        return
    kernel = compiled("block_decoded", large, carrier=DOUBLE)
    scales = (task.totals, np.float64(task.second))
    kernel(task.codes, task.out, *scales, task.spec, *task.geometry.tiling)


def langevin(task: LangevinTask) -> tuple[int, int]:
    """One Langevin step; the numbers of elements with too much variance and beyond the range."""
    large, general = task.theta.size > SMALL, Flags(task.general)
    kernel = compiled("langevin", large, task.mode, flags=general)
    flags = tuple(name in task.flags for name in STEP_FLAGS)
    counts = np.zeros((-(-task.theta.size // TASK), 2), np.int64)
    k = task.keys
    keys = (*k.gradient, *k.noise, *k.weight, *k.other)
    arrays = (task.theta, task.grad, task.stored, task.seen)
    scalars = (task.lr, task.decay, task.sigma, task.variance)
    grids = (task.gradient.grid, task.weight.grid, task.draw, task.low, task.high)
    kernel(*arrays, *scalars, *grids, keys, k.first, counts, flags)
    short, beyond = counts.sum(axis=0)
    return int(short), int(beyond)
