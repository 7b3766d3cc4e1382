"""Laws of rounding on any format and any float32: idempotent, monotone, faithful, odd, bounded."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numformats as nf
from tests import oracle
from tests.inputs import MADE, assert_same, scalar_formats
from tests.test_formats import fixed, floats

NEAREST = ("nearest_even", "nearest_away")
FORMATS = scalar_formats() | MADE
# tame: float64 holds every value, and a carrier value can lie between any two
tame_floats = floats.filter(lambda f: f.exp_bits <= 8 and abs(f.bias) <= 200 and f.man_bits <= 20)
# a wrapped result in an unsigned word of more than 24 bits does not fit float32, and is refused
tame_fixed = fixed.filter(lambda f: f.overflow != "wrap" or f.signed or f.word_bits <= 24)
tame_named = st.sampled_from(list(FORMATS.values())).filter(lambda f: f.bits <= 32)
formats = tame_named | tame_fixed | tame_floats
modes = st.sampled_from(oracle.DETERMINISTIC)
all_modes = st.sampled_from(list(nf.roundings()))
reals = st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40)
near = st.lists(st.floats(-1000, 1000, width=32), min_size=1, max_size=40)
inputs = (reals | near).map(np.float32)


def saturating(fmt: Any) -> Any:
    return dataclasses.replace(fmt, overflow="saturate")


def key_for(mode: str) -> int | None:
    return 3 if nf.roundings()[mode].stochastic else None


@given(formats, all_modes, inputs)
def test_idempotent(fmt: Any, mode: str, x: np.ndarray) -> None:
    once = nf.quantize(x, fmt, mode, key=key_for(mode))
    if getattr(fmt, "zero", True):
        assert_same(nf.quantize(once, fmt, mode, key=key_for(mode)), once, x)


@given(formats, modes, inputs)
def test_monotone(fmt: Any, mode: str, x: np.ndarray) -> None:
    x = np.sort(x)
    found = nf.quantize(x, saturating(fmt), mode)
    assert (found[1:] >= found[:-1]).all()  # a difference of two Inf is no number


def neighbours(fmt: Any, x: float) -> tuple[Fraction, Fraction]:
    """The grid values around ``x``, limited to the range."""
    low, high = oracle.bounds(fmt)
    exact = min(max(Fraction(x), low), high)
    down = Fraction(oracle.quantize_one(x, saturating(fmt), "toward_negative", carrier="float64"))
    up = Fraction(oracle.quantize_one(x, saturating(fmt), "toward_positive", carrier="float64"))
    assert down <= exact <= up or not getattr(fmt, "zero", True)
    return down, up


@given(formats, all_modes, near.map(np.float64))
def test_faithful(fmt: Any, mode: str, x: np.ndarray) -> None:
    """A result is one of the two neighbours; for the nearest modes, the nearer."""
    got = nf.quantize(x, saturating(fmt), mode, key=key_for(mode))
    for value, result in zip(x.tolist(), got.tolist(), strict=True):
        down, up = neighbours(fmt, value)
        assert Fraction(result) in (down, up)
        if mode in NEAREST:
            best = min(abs(Fraction(value) - down), abs(Fraction(value) - up))
            assert abs(Fraction(value) - Fraction(result)) == best


@given(formats, st.sampled_from(["nearest_even", "nearest_away", "toward_zero", "to_odd"]), inputs)
def test_odd_symmetry(fmt: Any, mode: str, x: np.ndarray) -> None:
    if not fmt.signed or (oracle.is_fixed(fmt) and not fmt.symmetric):
        return
    got, mirrored = nf.quantize(x, fmt, mode), -nf.quantize(-x, fmt, mode)
    np.testing.assert_array_equal(got, mirrored)


@given(formats, inputs)
def test_directed_modes_mirror_each_other(fmt: Any, x: np.ndarray) -> None:
    if not fmt.signed or (oracle.is_fixed(fmt) and not fmt.symmetric):
        return
    up, down = nf.quantize(x, fmt, "toward_positive"), nf.quantize(-x, fmt, "toward_negative")
    np.testing.assert_array_equal(up, -down)


@given(formats, inputs)
def test_directed_bounds(fmt: Any, x: np.ndarray) -> None:
    fmt = saturating(fmt)
    x = x[(x >= float(fmt.min)) & (x <= float(fmt.max)) & np.isfinite(x)]
    assert (nf.quantize(x, fmt, "toward_negative") <= x).all() or not getattr(fmt, "zero", True)
    assert (nf.quantize(x, fmt, "toward_positive") >= x).all()
    if getattr(fmt, "zero", True):
        assert (np.abs(nf.quantize(x, fmt, "toward_zero")) <= np.abs(x)).all()


@given(formats, st.sampled_from(["nearest_even", "toward_zero", "stochastic"]), inputs)
def test_codes_decode_to_the_rounded_values(fmt: Any, mode: str, x: np.ndarray) -> None:
    rounded = nf.quantize(x, fmt, mode, key=key_for(mode))
    if not fmt.has_nan:
        x, rounded = x[~np.isnan(rounded)], rounded[~np.isnan(rounded)]
        if key_for(mode) is not None:
            return  # dropping elements would move the random bits
    held = np.abs(rounded) < oracle.in_carrier(oracle.bounds(fmt)[1], "float32")
    whole = oracle.in_carrier(oracle.bounds(fmt)[1], "float32") == oracle.bounds(fmt)[1]
    codes = nf.encode(x, fmt, mode, key=key_for(mode))
    same = np.ones(x.shape, bool) if whole else held  # codes saturate at the true largest value
    assert_same(nf.decode(codes, fmt)[same].astype(x.dtype), rounded[same], x[same])


@pytest.mark.parametrize("name", [n for n, f in FORMATS.items() if f.bits <= 16])
def test_every_code_survives_decode_and_encode(name: str) -> None:
    fmt = FORMATS[name]
    codes = np.arange(1 << fmt.bits, dtype=np.uint32)
    values = nf.decode(codes, fmt).astype(np.float64)
    number = ~np.isnan(values)
    if getattr(fmt, "overflow", "") == "clamp":
        number &= np.isfinite(values)  # which sends Inf to the largest value
    if getattr(fmt, "symmetric", False):
        number &= codes != 1 << (fmt.bits - 1)  # the dropped most negative code
    if not getattr(fmt, "subnormals", True) and fmt.zero:
        mantissa = codes & ((1 << (fmt.exp_bits + fmt.man_bits)) - 1)
        number &= (mantissa == 0) | (mantissa >= 1 << fmt.man_bits)  # codes without a use
    np.testing.assert_array_equal(nf.encode(values[number], fmt), codes[number])
    if fmt.has_nan:
        assert np.isnan(nf.decode(nf.encode(np.float32([np.nan]), fmt), fmt)).all()


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=70), st.integers(-60, 60))
def test_blocks_scale_with_powers_of_two(values: list[float], k: int) -> None:
    """A block format moves its scale with its input: Q(2^k x) = 2^k Q(x)."""
    x = np.float32(values)
    x[np.abs(x) < 2.0**-20] = 0.0
    factor = np.float32(2.0**k)
    for fmt in (nf.MXFP8_E4M3, nf.MXFP4, nf.MXINT8, nf.parse("bfp<8,block=16>")):
        np.testing.assert_array_equal(nf.quantize(x * factor, fmt), nf.quantize(x, fmt) * factor)


@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=70))
def test_block_codes_decode_to_the_rounded_values(values: list[float]) -> None:
    x = np.float32(values)
    for name, fmt in nf.formats().items():
        if isinstance(fmt, nf.BlockFloat):
            got = nf.decode(nf.encode(x, fmt), fmt)
            np.testing.assert_array_equal(got, nf.quantize(x, fmt), err_msg=name)
