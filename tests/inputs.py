"""Inputs shared by the tests: for any format and carrier, values that are hard to round."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np

import numformats as nf
from tests import oracle

DTYPES: dict[str, Any] = {
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float32": np.float32,
    "float64": np.float64,
}
SPECIAL = [0.0, -0.0, float("inf"), float("-inf"), float("nan")]


def bit_type(dtype: Any) -> Any:
    """The unsigned integers as wide as ``dtype``."""
    return {2: np.uint16, 4: np.uint32, 8: np.uint64}[np.dtype(dtype).itemsize]


def with_neighbours(x: np.ndarray) -> np.ndarray:
    """``x`` and, for each value, the next carrier values on both sides."""
    bits = x.view(bit_type(x.dtype))
    one = bits.dtype.type(1)
    with np.errstate(over="ignore"):
        return np.concatenate([bits, bits + one, bits - one]).view(x.dtype)


def unique_bits(x: np.ndarray) -> np.ndarray:
    return np.unique(x.view(bit_type(x.dtype))).view(x.dtype)


def scalar_formats() -> dict[str, Any]:
    """The catalog without block formats."""
    return {name: f for name, f in nf.formats().items() if not isinstance(f, nf.BlockFloat)}


def block_formats() -> dict[str, Any]:
    return {name: f for name, f in nf.formats().items() if isinstance(f, nf.BlockFloat)}


# User-made formats that no peer library has; together with the catalog they reach every branch.
MADE = {
    "fixed<8,3>": nf.FixedPoint(8, 3),
    "fixed<8,3,symmetric>": nf.FixedPoint(8, 3, symmetric=True),
    "fixed<8,3,unsigned>": nf.FixedPoint(8, 3, signed=False),
    "fixed<6,-2>": nf.FixedPoint(6, -2),
    "fixed<4,12>": nf.FixedPoint(4, 12),
    "fixed<1,0>": nf.FixedPoint(1, 0),
    "fixed<16,8,wrap>": nf.FixedPoint(16, 8, overflow="wrap"),
    "fixed<8,3,wrap,unsigned>": nf.FixedPoint(8, 3, signed=False, overflow="wrap"),
    "fixed<32,16>": nf.FixedPoint(32, 16),
    "fixed<8,140>": nf.FixedPoint(8, 140),
    "float<4,0>": nf.Float(4, 0, specials="finite"),
    "float<8,0,fn>": nf.Float(8, 0, specials="fn"),
    "float<1,3>": nf.Float(1, 3, specials="finite"),
    "float<3,0,nosub>": nf.Float(3, 0, specials="finite", subnormals=False),
    "float<4,3,nosub>": nf.Float(4, 3, subnormals=False),
    "float<4,3,bias=-3>": nf.Float(4, 3, bias=-3),
    "float<5,2,bias=140>": nf.Float(5, 2, bias=140),
    "float<5,3,unsigned>": nf.Float(5, 3, signed=False, specials="finite"),
    "float<5,3,unsigned,inf>": nf.Float(5, 3, signed=False, overflow="infinity"),
    "e5m2,infinity": nf.Float(5, 2, overflow="infinity"),
    "e5m2,nan": nf.Float(5, 2, overflow="nan"),
    "e5m2,clamp": nf.Float(5, 2, overflow="clamp"),
    "e4m3,nan": nf.Float(4, 3, specials="fn", overflow="nan"),
    "e4m3fnuz,nan": nf.Float(4, 3, specials="fnuz", overflow="nan"),
    "e8m0,nan": nf.Float(
        8, 0, bias=127, signed=False, subnormals=False, zero=False, specials="fn", overflow="nan"
    ),
    "e4m0,nozero": nf.Float(4, 0, signed=False, subnormals=False, zero=False, specials="finite"),
    "e3m2,nozero": nf.Float(3, 2, signed=False, subnormals=False, zero=False, specials="fn"),
    "binary8p4se": nf.parse("binary8p4se"),
    "binary8p4se,inf": nf.Float(4, 3, specials="p3109", overflow="infinity"),
    "binary8p1se": nf.parse("binary8p1se"),
    "binary8p8ue": nf.Float(1, 7, signed=False, specials="p3109", overflow="infinity"),
    "binary6p3uf": nf.parse("binary6p3uf"),
    "binary3p1ue": nf.parse("binary3p1ue"),
    "binary16p9se": nf.parse("binary16p9se"),
}


def all_scalar_formats() -> dict[str, Any]:
    """The catalog and the user-made formats."""
    return scalar_formats() | MADE


def grid_magnitudes(fmt: Any, count: int) -> list[Fraction]:
    """Magnitudes of the format: all of them, or edges and a random choice of ``count``."""
    rng = np.random.default_rng(1)
    if oracle.is_fixed(fmt):
        top = 2 ** (fmt.word_bits - int(fmt.signed))
        codes = range(top + 1) if top < count else {*range(20), *range(top - 20, top + 1)}
        more = () if top < count else rng.integers(0, top, count)
        return [int(c) * oracle.pow2(-fmt.frac_bits) for c in {*codes, *map(int, more)}]
    top, one = oracle.top_code(fmt) + 1, 1 << fmt.man_bits
    if top < count:
        codes = range(top + 1)
    else:
        codes = {*range(6), one - 1, one, one + 1, top - 2, top - 1, top}
        codes |= {int(c) for c in rng.integers(0, top, count)}
    return [oracle.magnitude(fmt, code) for code in codes]


def hard_values(fmt: Any, count: int) -> list[Fraction]:
    """Grid points, midpoints and third points, and points far below and above the range."""
    found: list[Fraction] = []
    for value in grid_magnitudes(fmt, count):
        gap = (
            oracle.step_at(fmt, value).gap if value else oracle.step_at(fmt, oracle.pow2(-1100)).gap
        )
        found += [value, value + gap / 2, value + gap / 3, value + gap * 3 / 4]
    top = oracle.bounds(fmt)[1] or Fraction(1)
    low = min((v for v in found if v), default=Fraction(1))
    found += [top * k for k in (Fraction(17, 16), Fraction(3, 2), 2, 3, 1000)]
    return found + [low / k for k in (2, 3, 8, 2**30, 2**33, 2**40)]


@cache
def hard_inputs(fmt: Any, carrier: str, count: int = 48) -> np.ndarray:
    """Ties of the format, their neighbours in the carrier, edges, specials, random patterns."""
    dtype = DTYPES[carrier]
    limit = oracle.pow2(oracle.CARRIERS[carrier][1])
    values = [float(v) for v in hard_values(fmt, count) if v < limit]
    with np.errstate(over="ignore", under="ignore"):
        exact = np.array(values, np.float64).astype(dtype)
    x = with_neighbours(np.concatenate([exact, np.array(SPECIAL, np.float64).astype(dtype)]))
    rng = np.random.default_rng(2)
    patterns = rng.integers(0, 1 << 63, 64, dtype=np.uint64).astype(bit_type(dtype)).view(dtype)
    x = np.concatenate([x, -x, patterns])
    x = unique_bits(x)
    x.flags.writeable = False
    return x


def tie_count(fmt: Any, x: np.ndarray) -> int:
    """How many elements lie exactly between two neighbours, by the oracle's grid."""
    finite = np.abs(x[np.isfinite(x) & (x != 0)].astype(np.float64))
    steps = ((Fraction(a), oracle.step_at(fmt, Fraction(a))) for a in finite.tolist())
    return sum(a - step.lower == step.gap / 2 for a, step in steps)


def random_patterns(count: int, seed: int, dtype: Any = np.float32) -> np.ndarray:
    """Uniformly random bit patterns, NaN and Inf among them."""
    bits = bit_type(dtype)
    rng = np.random.default_rng(seed)
    return rng.integers(0, np.iinfo(bits).max, count, dtype=bits, endpoint=True).view(dtype)


def assert_same(got: Any, wanted: Any, x: Any = None) -> None:
    """Equal values, equal signs of zero, NaN where NaN is wanted."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert got.shape == wanted.shape, f"shape {got.shape}, wanted {wanted.shape}"
    with np.errstate(invalid="ignore"):  # signalling NaN patterns
        g, w = got.astype(np.float64), wanted.astype(np.float64)
    same = (g == w) & (np.signbit(g) == np.signbit(w)) | (np.isnan(g) & np.isnan(w))
    if same.all():
        return
    bad = np.flatnonzero(~same)[:5]
    rows = [
        f"[{i}] x={'?' if x is None else np.ravel(x)[i]} got {g.flat[i]!r}, wanted {w.flat[i]!r}"
        for i in bad
    ]
    raise AssertionError(f"{(~same).sum()} of {same.size} differ: " + "; ".join(rows))


def assert_same_bits(got: Any, wanted: Any) -> None:
    """Equal dtype, shape and bits."""
    got, wanted = np.asarray(got), np.asarray(wanted)
    assert (got.dtype, got.shape) == (wanted.dtype, wanted.shape)
    kind = bit_type(got.dtype) if got.dtype.kind not in "ui" else got.dtype
    a = np.ascontiguousarray(got).view(kind)
    b = np.ascontiguousarray(wanted).view(kind)
    different = np.flatnonzero(a.ravel() != b.ravel())
    assert different.size == 0, (
        f"{different.size} of {a.size} differ, first at {different[0]}: "
        f"{got.flat[different[0]]!r}, wanted {wanted.flat[different[0]]!r}"
    )
