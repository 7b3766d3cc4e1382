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
    return texts(task.mode, task.carrier)


def _rand(task: ScalarTask | BlockTask, at: int, n: int) -> Any:
    lane = task.carrier.lane
    if not task.mode.stochastic:
        return np.zeros(n, lane.unsigned)
    return random_words(task.words, task.first + at, n, lane)


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
