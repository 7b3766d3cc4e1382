"""What a rounding mode does between two grid points, from its own expression: the chance of a step
away from zero at each discarded fraction, and the errors that follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from numformats.core.lane import WIDTH

RANDOM_BITS = 3  # what modes with few random bits are given
_LATTICE = 1024
WORDS = ((2 * np.arange(_LATTICE, dtype=np.uint64) + 1) << np.uint64(WIDTH - 11)).astype(np.uint32)


def chance(mode: Any, fraction: Any, kept: int, negative: bool) -> Any:
    """Probability of the step away from zero, over a lattice of 1024 random words.

    Args:
        mode: an entry of ``nf.roundings()``.
        fraction: discarded parts in [0, 1), multiples of 2^-32, any shape.
        kept: the grid point below, in gaps; its parity decides ties.
        negative: whether the number lies below zero.
    """
    words = WORDS if mode.stochastic else WORDS[:1]
    frac = (np.asarray(fraction) * 2.0**WIDTH).astype(np.uint32)[..., None]
    spare = np.uint32(WIDTH - RANDOM_BITS if mode.few_bits else 0)
    neg = np.full(frac.shape, negative)
    away = mode.away(np.full(frac.shape, kept, np.uint32), frac, neg, words, spare)
    return np.broadcast_to(away, (*frac.shape[:-1], len(words))).mean(axis=-1)


def mean_result(mode: Any, x: Any) -> tuple[Any, Any, Any]:
    """Both candidates of every ``x`` (in gaps), and the probability of the one away from zero."""
    x = np.asarray(x, dtype=float)
    kept, sign = np.floor(np.abs(x)), np.where(x < 0, -1.0, 1.0)
    away = [chance(mode, abs(v) - k, int(k), v < 0).item() for v, k in zip(x, kept, strict=True)]
    return sign * kept, sign * (kept + 1), np.array(away)


@dataclass(frozen=True)
class Errors:
    """Errors in gaps, over fractions uniform in [0, 1) and kept parts of both parities."""

    mean_above_zero: float
    mean_below_zero: float
    root_mean_square: float
    largest: float


def errors(mode: Any) -> Errors:
    """The errors of ``mode``, computed on 2048 fractions at the middles of equal intervals."""
    fraction = (np.arange(2 * _LATTICE) + 0.5) / (2 * _LATTICE)
    p = {
        neg: np.mean([chance(mode, fraction, kept, neg) for kept in (2, 3)], axis=0)
        for neg in (False, True)
    }
    mean = {neg: float(np.mean(p[neg] - fraction)) for neg in p}
    both = np.concatenate([p[False], p[True]])
    twice = np.tile(fraction, 2)
    square = np.mean(both * (1 - twice) ** 2 + (1 - both) * twice**2)
    worst = np.maximum(np.where(both > 0, 1 - twice, 0), np.where(both < 1, twice, 0)).max()
    return Errors(mean[False], -mean[True], float(np.sqrt(square)), float(worst))
