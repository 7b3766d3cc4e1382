"""The Numba CPU backend over reals: random words and normals, draws, blocks with scales of any
kind, decoding, Langevin steps.
"""

from typing import Any

import numpy as np

from numformats.backends.numba_kernels import DOUBLE, SMALL, compiled, walk
from numformats.backends.numba_text import CHUNKS, TASK, Flags
from numformats.backends.task import (
    STEP_FLAGS,
    BlockDrawTask,
    DecodeTask,
    DrawTask,
    LangevinTask,
    Levels,
    ScaledTask,
    Short,
    drawn_on,
)
from numformats.blocking import Geometry, spread
from numformats.core.block_draw import ShortBlocks
from numformats.core.decode import DecodeSpec
from numformats.core.scaled import tensor_level
from numformats.lanes import CARRIERS

PIECE = 1 << 20  # elements whose scales are at hand at a time


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards (uint32: 32-bit lanes, uint64: 64-bit lanes)."""
    carrier = CARRIERS["float32" if out.dtype == np.uint32 else "float64"]
    compiled("words", out.size > SMALL, carrier=carrier)(out, *key, first)


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    loop = "normals" if out.dtype == np.float32 else "long_normals"
    compiled(loop, out.size > SMALL)(out, *key, first)


def draws(task: DrawTask) -> None:
    """Variance-corrected draws."""
    counts = np.zeros((-(-task.mean.size // CHUNKS["draws"]), 2), np.int64)
    large, flags = task.mean.size > SMALL, Flags(**drawn_on(task.grid, task.short))
    stream = (*task.key, *task.other_key, task.first)
    if task.short:
        run = compiled("short_draws", large, flags=flags)
        run(task.mean, task.out, *stream, task.short, counts)
    elif task.own:
        run = compiled("own_draws", large, flags=flags)
        run(task.mean, task.variance, task.out, *stream, task.grid, *task.own, counts)
    else:
        run = compiled("draws", large, flags=flags)
        run(task.mean, task.variance, task.out, *stream, task.grid, counts)
    task.counts[:] += counts.sum(axis=0)


def _finite_top(x: Any, variance: Any, how: Levels) -> Any:
    """The largest finite magnitude, where the scale of the whole array depends on it."""
    found = np.zeros(-(-x.size // TASK), np.uint64)
    if how.spec.tensor_limit > 0:
        flags = Flags(reach=variance is not None)
        spread = np.zeros(1) if variance is None else variance
        compiled("finite_tops", x.size > SMALL, carrier=DOUBLE, flags=flags)(x, spread, found)
    return found.max(initial=0)


def _levels(
    x: Any,
    variance: Any,
    g: Geometry,
    how: Levels,
    scales: Any,
    encode: bool,
    top: Any,
    given: float = 0.0,
) -> tuple[Any, float]:
    """Scales of all blocks (float64, that of the array multiplied in) and that of the array; with
    a ``variance``, scales that cover draws."""
    large, low = x.size > SMALL, how.lowered
    tops, reaching = np.zeros(g.blocks, np.uint64), Flags(reach=variance is not None)
    spread = np.zeros(1) if variance is None else variance
    compiled("tops", large, carrier=DOUBLE, flags=reaching)(x, spread, tops, *g.tiling)
    totals = tops.view(np.float64)  # each takes the place of its own
    kernel = compiled(
        "levels", tops.size > SMALL, how.mode, DOUBLE, Flags(power=how.is_power), encode
    )
    rule = (given, how.spec, how.power, low.grid, low.general, how.codes)
    second = kernel(tops, totals, scales, DOUBLE.lane.unsigned(top), *rule)
    return totals, float(second)


def _float_scaled(task: ScaledTask, short: Short) -> float:
    """``scaled`` in the 32-bit lane."""
    stored, how, g = task.carrier.stored, task.levels, task.geometry
    x, out = task.x.view(stored), task.out if task.encode else task.out.view(stored)
    large, whole = x.size > SMALL, np.float64(task.known_scale)
    if task.finds_scale:
        found = np.zeros(-(-x.size // TASK), np.uint32)
        compiled("finite_top", large, carrier=task.carrier)(x, found)
        top = np.float64(found.max().view(np.float32))
        whole = np.float64(tensor_level(top, 0.0, how.spec))
    unit, spare = how.spec.element_max * whole, task.carrier.lane.unsigned(task.spare)
    rule = (whole, unit, short.level.grid, short.level_codes, short.element.grid, short.codes)
    stream = (*task.words, task.first, spare)
    loop, block, across, tiling = walk(g, large)
    flags = Flags(mirrored=large and short.element.mirrored, saturating=large, across=across)
    choices = (task.mode, task.carrier, flags, task.encode, block, how.mode)
    kernel = compiled(f"float_{loop}", large, *choices)
    kernel(x, out, task.scales, *stream, *rule, *tiling)
    return float(whole)


def scaled(task: ScaledTask) -> float:
    """Round (or encode) in blocks with scales of any kind; the scale of the whole array."""
    if task.short:
        return _float_scaled(task, task.short)
    large, second = task.x.size > SMALL, 1.0
    kernel = compiled("scaled", large, task.mode, DOUBLE, Flags(task.lowered.general), task.encode)
    given, spare = task.tensor_scale, DOUBLE.lane.unsigned(task.spare)
    top = _finite_top(task.x, None, task.levels) if task.finds_scale else 0
    for g, at, block in task.geometry.pieces(PIECE):
        part, codes = slice(at, at + g.size), task.scales[block : block + g.blocks]
        x, scales = task.x[part], codes if task.encode else task.scales
        totals, second = _levels(x, None, g, task.levels, scales, task.encode, top, given)
        stream = (*task.words, task.first + at, spare)
        kernel(x, task.out[part], totals, *stream, task.lowered.grid, task.codes, *g.tiling)
    return second


def block_draws(task: BlockDrawTask) -> None:
    """As ``draws``, in blocks."""
    if task.short:
        _short_block_draws(task, task.short)
        return
    d, nothing = task.draw, np.empty(1, np.uint8)
    kernel = compiled("block_draws", d.mean.size > SMALL, flags=Flags(**drawn_on(d.grid)))
    top = _finite_top(d.mean, d.variance, task.levels)
    for g, at, _ in task.geometry.pieces(PIECE):
        part = slice(at, at + g.size)
        mean, variance = d.mean[part], d.variance[part] if d.variance.size > 1 else d.variance
        totals, _ = _levels(mean, variance, g, task.levels, nothing, False, top)
        counts = np.zeros((-(-g.blocks // CHUNKS["block_draws"]), 2), np.int64)
        keys = (*d.key, *d.other_key, d.first + at, d.grid)
        kernel(mean, variance, d.out[part], totals, *keys, counts, *g.tiling)
        d.counts[:] += counts.sum(axis=0)


def _short_block_draws(task: BlockDrawTask, short: ShortBlocks) -> None:
    d, g, large = task.draw, task.geometry, task.draw.mean.size > SMALL
    _, block, across, _ = walk(g, large)
    flags = Flags(**drawn_on(d.grid), across=across)
    kernel = compiled("short_block_draws", large, flags=flags, block=block)
    keys, grids = (*d.key, *d.other_key, d.first), (d.grid, *short)
    x, out = d.mean.view(np.uint32), d.out.view(np.uint32)
    d.counts[:] += kernel(x, d.variance, out, *keys, *grids, *g.tiling)


@np.errstate(all="ignore")
def decode(task: DecodeTask) -> None:
    """The values of stored codes."""
    codes, out, g = task.codes, task.out, task.geometry
    large = codes.size > SMALL
    if codes.dtype.itemsize > 2 or (codes.dtype.itemsize > 1 and not large):
        values = out if g is None else np.empty(out.size)
        compiled("decoded", large, carrier=DOUBLE)(codes, values, task.spec)
        if g is not None:
            totals = spread((task.totals * task.second).reshape(g.scales_shape), g.shape, g.tile)
            np.multiply(values, totals.reshape(-1), out=out, casting="same_kind")
        return
    table = _table(codes.dtype, out.dtype if g is None else np.float64, task.spec)
    if g is None:
        compiled("looked_up", large, carrier=DOUBLE)(codes, out, table)
        return
    loop, block, _, tiling = walk(g, large)
    kernel = compiled(f"looked_up_{loop}", large, carrier=DOUBLE, block=block)
    kernel(codes, out, task.totals, np.float64(task.second), table, *tiling)


def _table(dtype: Any, real: Any, spec: DecodeSpec) -> Any:
    """The values of all codes."""
    every = np.arange(1 << 8 * dtype.itemsize, dtype=np.uint32).astype(dtype)
    table = np.empty(every.size, real)
    compiled("decoded", False, carrier=DOUBLE)(every, table, spec)
    return table


def langevin(task: LangevinTask) -> None:
    """One Langevin step."""
    flags_of = Flags(task.general, **drawn_on(task.draw, task.short))
    kernel = compiled("langevin", task.theta.size > SMALL, task.mode, flags=flags_of)
    flags = tuple(name in task.flags for name in STEP_FLAGS)
    counts = np.zeros((-(-task.theta.size // TASK), 2), np.int64)
    k = task.keys
    keys = (*k.gradient, *k.noise, *k.weight, *k.other)
    arrays = (task.theta, task.grad, task.stored, task.seen)
    scalars = (task.lr, task.decay, task.sigma, task.variance)
    drawn = task.short or task.draw
    grids = (task.gradient.grid, task.weight.grid, drawn, task.low, task.high)
    kernel(*arrays, *scalars, *grids, keys, k.first, counts, flags)
    task.counts[:] += counts.sum(axis=0)
