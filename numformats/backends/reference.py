"""The reference backend: the core texts run on NumPy arrays, in pieces that bound the temporary
memory."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from numformats.backends.chain_task import ChainTask, PlainTask
from numformats.backends.dot_task import DotTask, ScaledDotTask, SplitTask
from numformats.backends.emit import (
    CORE,
    LOADS,
    SCALE,
    STORES,
    constants,
    mode_parts,
    module_text,
)
from numformats.backends.task import BlockTask, DrawTask, ScalarTask
from numformats.blocking import block_maxima, spread
from numformats.core import draw, normal
from numformats.core.grid import Grid
from numformats.core.scale import block_bits
from numformats.core.threefry import threefry
from numformats.lanes import LANE32, LANE64, Carrier, Lane
from numformats.rounding import Mode

PIECE = 1 << 16

_PRELUDE = """\
import numpy as np
from numformats.core.grid import CodeSpec, Grid
from numformats.core.scale import ScaleSpec

{constants}CARRIER_MAX = U({largest})
where, minimum, maximum = np.where, np.minimum, np.maximum

def shl(x, s):
    return where(U(s) > U(LAST), ZERO, U(x << U(U(s) & U(LAST))))

def shr(x, s):
    return where(U(s) > U(LAST), ZERO, U(x >> U(U(s) & U(LAST))))

def bit_length(x):
    return I(np.frexp(np.float64(x))[1])
"""


@cache
def texts(mode: Mode, carrier: Carrier) -> SimpleNamespace:
    """The core texts as NumPy functions for one mode and carrier."""
    prelude = _PRELUDE.format(constants=constants(carrier.lane), largest=carrier.largest)
    moves = [(LOADS[carrier.name], "load", ""), (STORES[carrier.name], "store", "")]
    rules = [(*part, "") for part in mode_parts(mode)]
    parts = [(f, None, "") for f in (*CORE, *SCALE)]
    source = module_text(prelude, [*parts, *rules, (block_bits, None, ""), *moves])
    names: dict[str, Any] = {}
    exec(compile(source, "<core texts>", "exec"), names)
    return SimpleNamespace(**names)


def _bound(task: ScalarTask | BlockTask) -> SimpleNamespace:
    return texts(task.mode, task.carrier)


def _random(words: tuple[Any, Any], first: int, n: int, lane: Lane) -> Any:
    """Words of elements ``first`` .. ``first + n``."""
    k0, k1 = (np.array([w]) for w in words)
    if lane.width == 64:
        a, b = _threefry(k0, k1, np.arange(n, dtype=np.uint64) + np.uint64(first))
        return a.astype(np.uint64) << np.uint64(32) | b
    pairs = np.arange((n + (first & 1) + 1) >> 1, dtype=np.uint64) + np.uint64(first >> 1)
    both = np.stack(_threefry(k0, k1, pairs), axis=1).reshape(-1)
    return both[first & 1 : (first & 1) + n]


def _threefry(k0: Any, k1: Any, counter: Any) -> tuple[Any, Any]:
    low, high = counter.astype(np.uint32), (counter >> np.uint64(32)).astype(np.uint32)
    return threefry(k0, k1, low, high)


def _rand(task: ScalarTask | BlockTask, at: int, n: int) -> Any:
    lane = task.carrier.lane
    if not task.mode.stochastic:
        return np.zeros(n, lane.unsigned)
    return _random(task.words, task.first + at, n, lane)


def scalar(task: ScalarTask) -> None:
    """Round (or encode) every element of a flat array."""
    text, lane = _bound(task), task.carrier.lane
    grid, general, spare = (
        task.lowered.grid,
        task.lowered.general,
        lane.unsigned(task.spare),
    )
    for at in range(0, task.x.size, PIECE):
        bits = text.load(task.x[at : at + PIECE])
        rand = _rand(task, at, bits.size)
        if task.wrapping:
            limits = task.wrapping.limits(lane)
            rounded = text.wrap_bits(bits, rand, spare, grid, *limits)
        else:
            rounded = text.round_bits(bits, rand, spare, grid, general, False)
        code = text.code_bits(rounded, grid, task.codes) if task.encode else text.store(rounded)
        task.out[at : at + PIECE] = code


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    text, lane, shape = _bound(task), task.carrier.lane, task.geometry.shape
    bits = text.load(task.x).reshape(shape)
    tile, magnitude = task.geometry.tile, lane.unsigned((1 << (lane.width - 1)) - 1)
    amax = block_maxima(bits & magnitude, tile)
    k = text.scale_exponent(amax, task.scale)
    if task.encode:
        codes = text.scale_code(k, amax, task.scale)
        task.scales[...] = codes.reshape(task.scales.shape).astype(task.scales.dtype)
    amax, k = (spread(a, shape, tile) for a in (amax, k))
    grid: Grid = text.scaled_grid(task.lowered.grid, k)
    rand = _rand(task, 0, bits.size).reshape(shape)
    rounded = text.block_bits(bits, rand, lane.unsigned(task.spare), grid, amax, True)
    code = text.code_bits(rounded, grid, task.codes) if task.encode else text.store(rounded)
    task.out[...] = code.reshape(task.out.shape)


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards."""
    out[...] = _random(key, first, out.size, LANE32 if out.dtype == np.uint32 else LANE64)


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    out[...] = normal.normal(_random(key, first, out.size, LANE32))


def draws(task: DrawTask) -> tuple[int, int]:
    """Variance-corrected draws; the numbers of elements with too much variance and beyond the
    range."""
    mean, variance = task.mean.astype(np.float64), task.variance.astype(np.float64)
    one, two = (_random(k, task.first, mean.size, LANE32) for k in (task.key, task.other_key))
    with np.errstate(all="ignore"):
        free = draw.draw(mean, variance, one, two, task.grid)
        bounded = draw.limit(free, task.grid)
        short = int(np.count_nonzero(draw.missing(mean, variance, task.grid) > 0.0))
    task.out[...] = bounded
    return short, int(np.count_nonzero(bounded != free))


def split(task: SplitTask) -> int:
    """Split the operand of a matrix product; the join of all kinds."""
    from numformats.backends import reference_dots

    return reference_dots.split(task)


def dots(task: DotTask) -> None:
    """Fused dot products."""
    from numformats.backends import reference_dots

    reference_dots.dots(task)


def chains(task: ChainTask) -> None:
    """Accumulations that are rounded step by step."""
    from numformats.backends import reference_chains

    reference_chains.chains(task)


def plain(task: PlainTask) -> None:
    """Accumulations with one fixed rule."""
    from numformats.backends import reference_chains

    reference_chains.plain(task)


def scaled_dots(task: ScaledDotTask) -> None:
    """Exact sums of groups, scaled, aligned and added."""
    from numformats.backends import reference_dots

    reference_dots.scaled_dots(task)
