"""Means and variances of draws in blocks, for all backends: scales of every layout and rule, within
and beyond those on which float32 draws.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

import numformats as nf
from tests.inputs import assert_same_bits

_MANTISSA = nf.FixedPoint(8, 6)
FORMATS = [
    *map(nf.parse, ("mxfp8_e4m3", "mxfp8_e5m2", "mxfp6_e3m2", "mxfp4", "mxint8")),
    nf.parse("bfp<8,block=16>"),
    nf.BlockFloat(_MANTISSA, None, axis=None),
    nf.BlockFloat(_MANTISSA, None, axis=0, scale_rule="even"),
    nf.BlockFloat(_MANTISSA, 8, scale_rule="ceil"),
    nf.BlockFloat(nf.E4M3, (4, 8), axis=(0, 1), scale_rule="rceil"),
    nf.BlockFloat(nf.E2M1, 7, axis=0, scale_rule="even"),
    nf.BlockFloat(nf.E4M3, 7, scale_rule="ceil"),
    nf.BlockFloat(nf.parse("float<4,3,subnormals=false>"), 32),
    nf.BlockFloat(nf.E4M3, 32, scale=nf.parse("float<3,0,specials=finite>")),
]
VARIANCES = (0.0, 1e-30, 1e-8, 1e-3, 3.0, 1e10, 1e30)


def means(rows: int) -> np.ndarray:
    """Rows of 64: blocks of very different sizes, of zeros, of NaN and Inf, and with a power of
    two on top, which only what can be drawn goes beyond."""
    rng = np.random.default_rng(rows)
    sizes = np.repeat(2.0 ** rng.integers(-45, 45, (rows, 2)), 32, axis=1)
    x = (rng.normal(size=(rows, 64)) * sizes).astype(np.float32)
    x[0], x[1, 3], x[2, 7] = 0.0, np.nan, np.inf
    x[3] = np.where(np.arange(64) % 8, rng.random(64), 2.0 ** rng.integers(1, 3, 64))
    x[4, :32], x[4, 32:] = 2.0**-140, 2.0**-149
    return x


def compare(backend: str, rows: int, to: Any = np.asarray, back: Any = np.asarray) -> int:
    """The number of draws that have the reference's bits and counts; arrays go to where the backend
    takes them, and ``back``."""
    x, done = means(rows), 0
    for fmt, variance in product(FORMATS, VARIANCES):
        compare_one(backend, x, variance, fmt, nf.Key(3, 1, done % 2), to, back)
        done += 1
    return done


def compare_few(backend: str) -> int:
    """The same for what is slow: blocks along memory, and columns."""
    x, done = means(5)[:, :8], 0
    for fmt in (nf.BlockFloat(nf.E4M3, 8, scale_rule="ceil"), nf.BlockFloat(_MANTISSA, 3, axis=0)):
        for variance in (1e-3, 1e10):
            compare_one(backend, x, variance, fmt, nf.Key(3, 1, 1), np.asarray, np.asarray)
            done += 1
    return done


def compare_one(
    backend: str, x: Any, variance: float, fmt: Any, key: nf.Key, to: Any, back: Any
) -> None:
    how: Any = {"key": key, "return_counts": True}
    wanted = nf.variance_corrected(x, variance, fmt, backend="reference", **how)
    got = nf.variance_corrected(to(x), variance, fmt, backend=backend, **how)
    assert_same_bits(back(got[0]), wanted[0])
    assert got[1] == wanted[1], (fmt, variance)
