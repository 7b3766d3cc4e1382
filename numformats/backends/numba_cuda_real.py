"""The Numba CUDA backend over reals: random words and normals, draws, blocks with scales of any
kind, decoding, Langevin steps.
"""

from typing import Any

import numpy as np

from numformats.backends.cuda_launch import NO_TILING, tiling_of
from numformats.backends.numba_cuda_launch import (
    DOUBLE,
    compiled,
    few,
    in_rows,
    launch,
    read,
    zeros,
)
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
from numformats.blocking import Geometry
from numformats.core.block_draw import ShortBlocks
from numformats.lanes import CARRIERS, LANE32


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards (uint32: 32-bit lanes, uint64: 64-bit lanes)."""
    carrier = CARRIERS["float32" if np.dtype(out.dtype) == np.uint32 else "float64"]
    launch(compiled("words", carrier=carrier), out.size, out, out, *key, np.uint64(first))


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    loop = "normals" if np.dtype(out.dtype) == np.float32 else "long_normals"
    launch(compiled(loop), out.size, out, out, *key, np.uint64(first))


def draws(task: DrawTask) -> None:
    """Variance-corrected draws."""
    arrays: tuple[Any, ...]
    law: tuple[Any, ...]
    if task.short:
        kernel = compiled("short_draws", **drawn_on(task.grid, task.short))
        arrays, law = (task.mean, task.out), (task.short,)
    elif task.own:
        kernel = compiled("own_draws", **drawn_on(task.grid))
        arrays, law = (task.mean, task.variance, task.out), (task.grid, *task.own)
    else:
        _draws(task, zeros(1, np.float64, task.out), None)
        return
    stream = (*task.key, *task.other_key, np.uint64(task.first))
    launch(kernel, few(task.out.size), task.out, *arrays, *stream, *law, _counts(task))


def block_draws(task: BlockDrawTask) -> None:
    """As ``draws``, in blocks."""
    d, g = task.draw, task.geometry
    if task.short:
        _short_block_draws(d, task.short, g)
        return
    totals, _ = _levels(d.mean, d.variance, g, task.levels, None)
    _draws(d, totals, g)


def _short_block_draws(d: DrawTask, short: ShortBlocks, g: Geometry) -> None:
    n, tiling = d.out.size, tiling_of(g)
    keys = (*d.key, *d.other_key, np.uint64(d.first))
    how = (*keys, d.grid, *short, np.float64(d.variance[0]), _counts(d))
    if in_rows(g):
        kernel = compiled("draw_rows", block=g.tile[1], **drawn_on(d.grid))
        launch(kernel, few(n // 4), d.out, d.mean, d.out, *how)
        return
    amax = zeros(g.blocks, np.uint32, d.out)
    launch(compiled("draw_maxima"), n, d.out, d.mean, amax, *tiling)
    kernel = compiled("draw_tiles", **drawn_on(d.grid))
    launch(kernel, few(n), d.out, d.mean, d.out, amax, *how, *tiling)


def _draws(task: DrawTask, totals: Any, g: Geometry | None) -> None:
    keys = (*task.key, *task.other_key, np.uint64(task.first))
    arrays = (task.mean, task.variance, task.out, totals)
    tiling = NO_TILING if g is None else tiling_of(g)
    flags = (g is not None, task.variance.size > 1)
    kernel = compiled("draws", flags=flags, **drawn_on(task.grid))
    given = (*arrays, *keys, task.grid, _counts(task))
    launch(kernel, few(task.out.size), task.out, *given, *tiling)


def _counts(task: DrawTask) -> Any:
    return zeros(2, np.int64, task.out) if task.counts is None else task.counts


def _levels(
    x: Any, variance: Any, g: Geometry, how: Levels, scales: Any, whole: float = 0.0
) -> tuple[Any, Any]:
    """Scales of all blocks, that of the array multiplied in, and that of the array; with a
    ``variance``, scales that cover draws."""
    top, totals = zeros(g.blocks, np.uint64, x), zeros(g.blocks, np.float64, x)
    finite, second = zeros(1, np.uint64, x), zeros(1, np.float64, x)
    reaching = variance is not None
    given = variance if reaching else second
    kernel = compiled("tops", carrier=DOUBLE, flags=(reaching,))
    launch(kernel, few(x.size), x, x, given, top, finite, *tiling_of(g))
    encode, low = scales is not None, how.lowered
    codes = scales if encode else zeros(1, np.uint8, x)
    kernel = compiled("levels", how.mode, DOUBLE, encode=encode)
    rule = (how.spec, how.power, how.is_power, low.grid, low.general, how.codes)
    launch(kernel, g.blocks, x, top, finite, totals, codes, second, np.float64(whole), *rule)
    return totals, second


def _float_rows(task: ScaledTask, short: Short) -> float:
    """``scaled`` in the 32-bit lane."""
    x, how = task.x, task.levels
    finite, second = zeros(1, np.uint64, x), zeros(1, np.float64, x)
    if task.finds_scale:
        launch(compiled("finite_top"), few(x.size), x, x, finite)
    choices = {"encode": task.encode, "block": task.geometry.tile[1], "level_mode": how.mode}
    kernel = compiled("float_rows", task.mode, **choices)
    level, element = (short.level.grid, short.level_codes), (short.element.grid, short.codes)
    places = (x, task.out, task.scales, finite, second, np.float64(task.tensor_scale))
    stream = (*task.words, np.uint64(task.first), np.uint32(task.spare))
    launch(kernel, few(x.size // 4), x, *places, *stream, how.spec, *level, *element)
    return _whole(task, second)


def _whole(task: ScaledTask, second: Any) -> float:
    """The scale of the whole array; only one that was found waits for the device."""
    found = task.encode and task.finds_scale
    return float(read(second, task.x)[0]) if found else task.known_scale


def scaled(task: ScaledTask) -> float:
    """Round (or encode) in blocks with scales of any kind; where encoding, the scale of the whole
    array."""
    if task.short and in_rows(task.geometry):
        return _float_rows(task, task.short)
    scales = task.scales if task.encode else None
    totals, second = _levels(task.x, None, task.geometry, task.levels, scales, task.tensor_scale)
    lane, lowered, codes = task.elements
    carrier = CARRIERS["float32"] if lane is LANE32 else DOUBLE
    kernel = compiled("scaled", task.mode, carrier, encode=task.encode)
    stream = (*task.words, np.uint64(task.first), lane.unsigned(task.spare))
    rule = (lowered.grid, lowered.general, codes, *tiling_of(task.geometry))
    launch(kernel, task.x.size, task.x, task.x, task.out, totals, *stream, *rule)
    return _whole(task, second)


def decode(task: DecodeTask) -> None:
    """The values of stored codes."""
    n, arrays = task.codes.size, (task.codes, task.out)
    if task.geometry is None:
        kernel = compiled("decoded", carrier=DOUBLE)
        launch(kernel, n, task.codes, *arrays, task.spec)
        return
    kernel = compiled("block_decoded", carrier=DOUBLE)
    scales = (task.totals, np.float64(task.second))
    launch(kernel, n, task.codes, *arrays, *scales, task.spec, *tiling_of(task.geometry))


def written(task: Any) -> tuple[Any, Any]:
    """The accumulator and the weight of a step, an array of one element in the place of that which
    is not written."""
    rounds = bool({"WEIGHT", "DRAWN"} & set(task.flags))
    if rounds and "KEEPS" in task.flags:
        return task.stored, task.seen
    nothing = zeros(1, np.float32, task.theta)
    return (nothing, task.seen) if rounds else (task.stored, nothing)


def langevin(task: LangevinTask) -> None:
    """One Langevin step."""
    k = task.keys
    keys = (*k.gradient, *k.noise, *k.weight, *k.other, np.uint64(k.first))
    arrays = (task.theta, task.grad, *written(task))
    scalars = (task.lr, task.decay, task.sigma, task.variance)
    drawn = task.short or task.draw
    grids = (task.gradient.grid, task.weight.grid, drawn, task.general, task.low, task.high)
    flags = tuple(name in task.flags for name in STEP_FLAGS)
    kernel = compiled("langevin", task.mode, flags=flags, **drawn_on(task.draw, task.short))
    given = (*arrays, *scalars, *grids, *keys, task.counts)
    launch(kernel, few(task.theta.size), task.theta, *given)
