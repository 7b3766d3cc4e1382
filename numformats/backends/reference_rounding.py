"""The reference backend's rounding and encoding: the core texts run on NumPy arrays, in pieces that
bound the temporary memory."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from numformats.backends.reference_text import random_words, texts
from numformats.backends.task import BlockTask, ScalarTask
from numformats.blocking import block_maxima, spread
from numformats.core.grid import Grid

PIECE = 1 << 16


def _bound(task: ScalarTask | BlockTask) -> SimpleNamespace:
    return texts(task.rule.mode, task.rule.carrier)


def _rand(task: ScalarTask | BlockTask, at: int, n: int) -> Any:
    lane = task.rule.carrier.lane
    if not task.rule.mode.stochastic:
        return np.zeros(n, lane.unsigned)
    return random_words(task.words, task.first + at, n, lane)


def scalar(task: ScalarTask) -> None:
    """Round (or encode) every element of a flat array."""
    text, rule, lane = _bound(task), task.rule, task.rule.carrier.lane
    grid, general, spare = rule.lowered.grid, rule.lowered.general, lane.unsigned(task.spare)
    for at in range(0, task.x.size, PIECE):
        bits = text.load(task.x[at : at + PIECE])
        rand = _rand(task, at, bits.size)
        if rule.wrapping:
            limits = rule.wrapping.limits(lane)
            rounded = text.wrap_bits(bits, rand, spare, grid, *limits)
        else:
            rounded = text.round_bits(bits, rand, spare, grid, general, False)
        code = text.code_bits(rounded, grid, rule.codes) if task.encode else text.store(rounded)
        task.out[at : at + PIECE] = code


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    text, rule, lane = _bound(task), task.rule, task.rule.carrier.lane
    shape = task.geometry.shape
    bits = text.load(task.x).reshape(shape)
    tile, magnitude = task.geometry.tile, lane.unsigned((1 << (lane.width - 1)) - 1)
    amax = block_maxima(bits & magnitude, tile)
    k = text.scale_exponent(amax, rule.scale)
    if task.encode:
        codes = text.scale_code(k, amax, rule.scale)
        task.scales[...] = codes.reshape(task.scales.shape).astype(task.scales.dtype)
    amax, k = (spread(a, shape, tile) for a in (amax, k))
    grid: Grid = text.scaled_grid(rule.lowered.grid, k)
    rand = _rand(task, 0, bits.size).reshape(shape)
    rounded = text.block_bits(bits, rand, lane.unsigned(task.spare), grid, amax, True)
    code = text.code_bits(rounded, grid, rule.codes) if task.encode else text.store(rounded)
    task.out[...] = code.reshape(task.out.shape)
