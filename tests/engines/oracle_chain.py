"""Accumulation in exact rationals, one result at a time, with ``tests.oracle`` as rounding."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from tests import oracle
from tests.threefry import threefry2x32

BITS = 53  # sums are held to this many bits, the last one odd where something is lost


def to_odd(x: Fraction) -> Fraction:
    """``x`` rounded to odd at 53 bits."""
    if x == 0:
        return x
    gap = oracle.pow2(oracle.floor_log2(abs(x)) - BITS + 1)
    whole = abs(x) // gap
    if whole * gap != abs(x):
        whole |= 1
    return whole * gap * (-1 if x < 0 else 1)


class Rounding:
    """Rounding steps of one result; stochastic ones draw word after word."""

    def __init__(self, words: Any = None) -> None:
        self.words, self.event = words, 0

    def __call__(self, x: Fraction, fmt: Any, mode: str) -> Fraction:
        coin = None
        if mode in oracle.STOCHASTIC:
            coin = oracle.Coin(self.words(self.event), 64)
        self.event += 1
        got = oracle.quantize_exact(to_odd(x), fmt, mode, coin, "float64", x < 0)
        assert math.isfinite(got), "the oracle takes no overflow"
        return Fraction(got)


def accumulate(engine: Any, a: Any, b: Any, c: float, words: Any = None) -> float:
    """One result of a ``MACChain`` whose values stay finite."""
    step = Rounding(words)
    total = Fraction(c)
    if engine.order == "sequential" and engine.chunk is None:
        return float(_sequence(engine, a, b, total, step))
    size = engine.chunk or 1 << (len(a) - 1).bit_length()
    for k in range(0, len(a), size):
        add = _sequence if engine.order == "sequential" else _tree
        part = add(engine, a[k : k + size], b[k : k + size], Fraction(0), step, size)
        total = step(total + part, engine.c_values, engine.outer_rounding or engine.rounding)
    return float(total)


def _product(engine: Any, x: Any, y: Any, step: Rounding) -> Fraction:
    p = Fraction(float(x)) * Fraction(float(y))
    return p if engine.product is None else step(p, engine.product, engine.product_rounding)


def _sequence(
    engine: Any, a: Any, b: Any, total: Fraction, step: Rounding, size: int = 0
) -> Fraction:
    for x, y in zip(a, b, strict=True):
        p = _product(engine, x, y, step)
        total = step(total + p, engine.accumulator, engine.rounding)
    return total


def _tree(engine: Any, a: Any, b: Any, total: Fraction, step: Rounding, size: int) -> Fraction:
    """Depth first, left before right: the order of events is that of a carrying counter."""
    if size == 1:
        return _product(engine, a[0], b[0], step) if len(a) else Fraction(0)
    half = size // 2
    left = _tree(engine, a[:half], b[:half], total, step, half)
    right = _tree(engine, a[half:], b[half:], total, step, half)
    return step(left + right, engine.accumulator, engine.rounding)


def word_of(seed: int, stream: int, event: int, index: int) -> int:
    """The 64-bit word of one element for ``nf.Key(seed, stream).fold(event)``."""
    words = threefry2x32((stream, 0), (seed, 0))
    high, low = threefry2x32((index, 0), threefry2x32((event, 0), words))
    return high << 32 | low


def exact_dot(a: Any, b: Any, c: float) -> Fraction:
    """``c + sum a b`` in rationals."""
    products = (Fraction(float(x)) * Fraction(float(y)) for x, y in zip(a, b, strict=True))
    return sum(products, Fraction(float(c)))


def results(one: Any, a: Any, b: Any, c: Any) -> Any:
    """``one(row, column, c, index)`` for every result."""
    out = np.empty(c.shape)
    for index, (i, j) in enumerate(np.ndindex(c.shape)):
        out[i, j] = one(a[i], b[:, j], float(c[i, j]), index)
    return out
