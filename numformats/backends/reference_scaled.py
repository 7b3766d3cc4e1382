"""The reference backend for blocks with scales of any kind, and for decoding: the core texts run on
whole NumPy arrays."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from numformats.backends.emit import ELEMENTS, LEVELS, QUOTIENT, SHORT, UNITS
from numformats.backends.reference_text import core_texts, random_words
from numformats.backends.task import BlockDrawTask, DecodeTask, DrawTask, Levels, ScaledTask
from numformats.blocking import Geometry, block_maxima, spread
from numformats.core import block_draw, draw, short_draw
from numformats.core.block_draw import ShortBlocks
from numformats.lanes import CARRIERS, LANE32, LANE64
from numformats.rounding import MODES, Mode

_SINGLE, _DOUBLE = CARRIERS["float32"], CARRIERS["float64"]


@cache
def _texts(mode: Mode) -> SimpleNamespace:
    return core_texts(mode, _DOUBLE, (*UNITS, *LEVELS, *ELEMENTS))


@cache
def _short_texts(mode: Mode) -> SimpleNamespace:
    return core_texts(mode, _SINGLE, (*UNITS, *QUOTIENT, *SHORT))


def _levels(
    sizes: Any, g: Geometry, how: Levels, scales: Any, encode: bool, given: float = 0.0
) -> tuple[Any, float]:
    """Scales of the blocks of ``sizes`` (float64, in five dimensions), that of the whole array
    multiplied in, spread over the elements; and that of the array."""
    text = _texts(how.mode)
    bits = text.magnitude_of(sizes)
    tops = block_maxima(bits, g.tile)
    finite = bits[bits < np.uint64(LANE64.inf)]
    top = text.bits_to_real(finite.max(initial=0, keepdims=True))
    second = text.tensor_level(top, given, how.spec)[0]
    low = how.lowered
    if how.is_power:
        level = text.power_level(tops, how.power)
    else:
        level = text.float_level(tops, second, how.spec, low.grid, low.general)
    if encode:
        codes = text.code_bits(text.real_to_bits(level), low.grid, how.codes)
        scales[...] = codes.reshape(scales.shape).astype(scales.dtype)
    return spread(level * second, g.shape, g.tile), float(second)


@np.errstate(all="ignore")
def scaled(task: ScaledTask) -> float:
    """Round (or encode) in blocks with scales of any kind; the scale of the whole array. The
    32-bit lane serves drawn elements alone: of others it gives the same."""
    g = task.geometry
    x = task.x.astype(np.float64).reshape(g.shape)
    total, second = _levels(x, g, task.levels, task.scales, task.encode, task.tensor_scale)
    if task.short and task.mode.stochastic:
        text, lane, low, codes = (
            _short_texts(task.mode),
            LANE32,
            task.short.element,
            task.short.codes,
        )
    else:
        text, lane, low, codes = _texts(task.mode), LANE64, task.lowered, task.codes
    rand = np.zeros(x.shape, lane.unsigned)
    if task.mode.stochastic:
        rand = random_words(task.words, task.first, x.size, lane).reshape(x.shape)
    spare = lane.unsigned(task.spare)
    bits = text.scaled_bits(x, total, rand, spare, low.grid, low.general)
    if task.encode:
        out = text.code_bits(bits, low.grid, codes)
    else:
        out = text.rescaled(text.unit_value(bits), total)
    task.out[...] = out.reshape(-1).astype(task.out.dtype)
    return second


@np.errstate(all="ignore")
def block_draws(task: BlockDrawTask) -> None:
    """As ``draws``, in blocks."""
    d, g = task.draw, task.geometry
    mean = d.mean.astype(np.float64)
    one, two = (random_words(k, d.first, mean.size, LANE32) for k in (d.key, d.other_key))
    if task.short:
        found = _drawn_in_single(d, mean, _covering(d, g, task.short), one, two, task.short)
    else:
        reach = draw.reach(mean, np.sqrt(d.variance)).reshape(g.shape)
        total = _levels(reach, g, task.levels, None, False)[0].reshape(-1)
        found = _drawn_in_units(d, mean, total, one, two)
    d.out[...] = found[0].astype(d.out.dtype)
    d.counts[:] += np.count_nonzero(found[1]), np.count_nonzero(found[2])


def _covering(d: DrawTask, g: Geometry, short: ShortBlocks) -> Any:
    """The exponents of the scales of all elements."""
    sizes = np.abs(d.mean).view(np.uint32).reshape(g.shape)
    sigma = np.sqrt(d.variance[0])
    found = block_draw.covering_exponent(block_maxima(sizes, g.tile), sigma, short.scale)
    return spread(found, g.shape, g.tile).reshape(-1)


def _drawn_in_single(
    d: DrawTask, mean: Any, k: Any, one: Any, two: Any, short: ShortBlocks
) -> tuple[Any, ...]:
    """As ``_drawn_in_units``, of scales with exponents ``k``, in float32 where these allow it."""
    grids = block_draw.in_block(short.unit, np.clip(k, short.low, short.high))
    free, forced = short_draw.short_draw(d.mean, one, two, grids)
    ends = grids.smallest, grids.largest
    found = draw.limit(free, *ends, np.nan), forced, draw.outside(free, *ends)
    others = _drawn_in_units(d, mean, block_draw.scale_of(k), one, two)
    inside = block_draw.in_single(k, short.low, short.high)
    return tuple(np.where(inside, a, b) for a, b in zip(found, others, strict=True))


def _drawn_in_units(d: DrawTask, mean: Any, total: Any, one: Any, two: Any) -> tuple[Any, ...]:
    """Draws in float64 in units of their scales ``total``; which have too much variance, and which
    lay beyond the range."""
    text = _texts(MODES["nearest_even"])
    means, variances = text.unit_mean(mean, total), text.unit_variance(d.variance, total)
    free, forced = draw.draw(means, variances, np.sqrt(variances), one, two, d.grid)
    ends = d.grid.smallest, d.grid.largest
    drawn = text.rescaled(draw.limit(free, *ends, np.nan), total)
    return drawn, forced, draw.outside(free, *ends)


@np.errstate(all="ignore")
def decode(task: DecodeTask) -> None:
    """The values of stored codes."""
    text, g = _texts(MODES["nearest_even"]), task.geometry
    values = text.bits_to_real(text.value_bits(task.codes.astype(np.uint64), task.spec))
    if g is not None:
        totals = (task.totals * task.second).reshape(g.scales_shape)
        values = values * spread(totals, g.shape, g.tile).reshape(-1)
    task.out[...] = values.astype(task.out.dtype)
