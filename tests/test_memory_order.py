"""Law: how an array lies in memory changes no bit of its result, and a result without ``out`` lies
as the array does, where that has no holes.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests.inputs import assert_same_bits

SHAPE = (3, 4, 5, 34)
FORMATS = [
    "e4m3",
    "mxfp8_e4m3",
    "nvfp4",
    nf.BlockFloat(nf.E4M3, 2, axis=1, scale_rule="ceil"),
    nf.BlockFloat(nf.FixedPoint(8, 6), None, axis=None),
    nf.BlockFloat(nf.E2M1, (3, 2), axis=(-1, 0)),
    nf.BlockFloat(nf.E2M1, (2, 4, 16), axis=(0, 1, 3)),  # in other orders three separate axes
    nf.BlockFloat(nf.E2M1, (2, 16), axis=(1, 3), scale=nf.E4M3),
]
ROUNDINGS = ("nearest_even", "stochastic")


def lying(x: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
    """A copy of ``x`` with axes that follow each other in memory in this order."""
    return x.transpose(order).copy(order="C").transpose(np.argsort(order))


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_memory_order_changes_no_bit(fmt: Any, rounding: str) -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=SHAPE) * 2.0 ** rng.integers(-9, 9, SHAPE)).astype(np.float32)
    wanted = nf.quantize(x, fmt, rounding, key=1, backend="reference")
    for order in permutations(range(4)):
        given = lying(x, order)
        got = nf.quantize(given, fmt, rounding, key=1)
        assert_same_bits(got, wanted)
        assert got.strides == given.strides
        for out in (np.empty(SHAPE, np.float32), lying(np.zeros_like(x), order), given):
            assert nf.quantize(given, fmt, rounding, key=1, out=out) is out
            assert_same_bits(out, wanted)


def test_holes_and_steps_back_give_results_in_c_order() -> None:
    x = np.arange(96, dtype=np.float32).reshape(4, 24)
    for given in (x[:, ::2], x[::-1], x.T[::2], np.broadcast_to(x[:1], (4, 24))):
        for fmt in ("e4m3", "mxfp4"):
            got = nf.quantize(given, fmt)
            assert got.flags["C_CONTIGUOUS"]
            assert_same_bits(got, nf.quantize(given.copy(order="C"), fmt))


def test_draws_of_other_orders() -> None:
    x = np.random.default_rng(0).normal(size=(3, 5, 32)).astype(np.float32)
    for fmt in ("e4m3", "mxfp8_e4m3"):
        for variance in (0.01, np.abs(x)):
            wanted = nf.variance_corrected(x, variance, fmt, key=1, backend="reference")
            for order in permutations(range(3)):
                got = nf.variance_corrected(lying(x, order), variance, fmt, key=1)
                assert_same_bits(got, wanted)
