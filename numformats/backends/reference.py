"""The reference backend: the core texts run on NumPy arrays, in pieces that bound the temporary
memory."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from numformats.backends.emit import CORE, ROUND, module_text
from numformats.backends.task import BlockTask, DrawTask, ScalarTask
from numformats.blocking import block_maxima, spread
from numformats.core import draw, normal, scale
from numformats.core.grid import Grid
from numformats.core.threefry import threefry
from numformats.lanes import LANE32, LANE64, Carrier, Lane
from numformats.rounding import Mode

PIECE = 1 << 16

_PRELUDE = """\
import numpy as np
from numformats.core.grid import CodeSpec, Grid
from numformats.core.scale import ScaleSpec

U, I, W32 = np.uint{width}, np.int{width}, np.uint32
SIG_BITS, EXP_BIAS, LAST, LEFT = I({sig}), I({bias}), I({width} - 1), U({width} - 1 - {sig})
ZERO, ONE, ALL, HALF = U(0), U(1), U(2**{width} - 1), U(2 ** ({width} - 1))
MAGNITUDE, HIDDEN, INF_BITS, NAN_BITS = U(2 ** ({width} - 1) - 1), U(1 << {sig}), U({inf}), U({nan})
CARRIER_MAX = U({carrier_max})
where, minimum, maximum = np.where, np.minimum, np.maximum

def shl(x, s):
    return U(x << U(U(s) & U(LAST)))

def shr(x, s):
    return U(x >> U(U(s) & U(LAST)))

def bit_length(x):
    return I(np.frexp(np.float64(x))[1])
"""
_BLOCKS = (
    scale.aligned,
    scale.scale_exponent, scale.power_bits, scale.shifted, scale.scaled_grid, scale.block_bits,
)  # fmt: skip


@cache
def texts(mode: Mode, lane: Lane, carrier_max: int) -> SimpleNamespace:
    """The core texts as NumPy functions for one mode and lane."""
    prelude = _PRELUDE.format(
        width=lane.width,
        sig=lane.sig_bits,
        bias=lane.bias,
        inf=lane.inf,
        nan=lane.nan,
        carrier_max=carrier_max,
    )
    source = module_text(
        prelude, [(mode.away, "away", ""), *((f, None, "") for f in CORE + ROUND + _BLOCKS)]
    )
    names: dict[str, Any] = {}
    exec(compile(source, "<core texts>", "exec"), names)
    return SimpleNamespace(**names)


def _bound(task: ScalarTask | BlockTask) -> SimpleNamespace:
    return texts(task.mode, task.carrier.lane, task.carrier.largest)


def _load(stored: Any, carrier: Carrier) -> Any:
    if carrier.name == "bfloat16":
        return stored.astype(np.uint32) << np.uint32(16)
    if carrier.name == "float16":
        wide = stored.view(np.float16).astype(np.float32).view(np.uint32)
        payload = (stored.astype(np.uint32) & 0x83FF) << np.uint32(
            13
        )  # signalling NaNs stay as they are
        sign = (payload & 0x10000000) << np.uint32(3)
        nan = sign | 0x7F800000 | (payload & 0x007FFFFF)
        return np.where((stored & 0x7FFF) > 0x7C00, nan, wide).astype(np.uint32)
    return stored


def _store(bits: Any, carrier: Carrier) -> Any:
    if carrier.name == "bfloat16":
        return (bits >> np.uint32(16)).astype(np.uint16)
    if carrier.name == "float16":
        with np.errstate(over="ignore", under="ignore"):
            narrow = bits.view(np.float32).astype(np.float16).view(np.uint16)
        nan = (bits >> 16 & 0x8000) | 0x7C00 | (bits >> 13 & 0x3FF)
        return np.where((bits & 0x7FFFFFFF) > 0x7F800000, nan, narrow).astype(np.uint16)
    return bits


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
        bits = _load(task.x[at : at + PIECE], task.carrier)
        rand = _rand(task, at, bits.size)
        if task.wrapping:
            limits = task.wrapping.limits(lane)
            rounded = text.wrap_bits(bits, rand, spare, grid, *limits)
        else:
            rounded = text.round_bits(bits, rand, spare, grid, general)
        code = (
            text.code_bits(rounded, grid, task.codes)
            if task.encode
            else _store(rounded, task.carrier)
        )
        task.out[at : at + PIECE] = code


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    text, lane, shape = _bound(task), task.carrier.lane, task.geometry.shape
    bits = _load(task.x, task.carrier).reshape(shape)
    tile, magnitude = task.geometry.tile, lane.unsigned((1 << (lane.width - 1)) - 1)
    amax = block_maxima(bits & magnitude, tile)
    k = text.scale_exponent(amax, task.scale)
    if task.encode:
        codes = np.where(amax >= lane.inf, -1, k - task.scale.low)
        task.scales[...] = codes.reshape(task.scales.shape).astype(np.uint32)
    amax, k = (spread(a, shape, tile) for a in (amax, k))
    grid: Grid = text.scaled_grid(task.lowered.grid, k, True)
    rand = _rand(task, 0, bits.size).reshape(shape)
    rounded = text.block_bits(bits, rand, lane.unsigned(task.spare), grid, amax, True)
    code = (
        text.code_bits(rounded, grid, task.codes) if task.encode else _store(rounded, task.carrier)
    )
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
