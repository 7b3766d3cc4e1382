"""Law: rounding to a format that holds every carrier value changes nothing."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import numformats as nf
from tests.inputs import (
    SPECIAL,
    assert_same,
    bit_type,
    random_patterns,
    with_neighbours,
)

CASES = {
    "float32": (nf.Float(8, 23), np.float32, 23),
    "float64": (nf.Float(11, 52), np.float64, 52),
    "float16": (nf.Float(5, 10), np.float16, 10),
    "bfloat16": (nf.Float(8, 7), ml_dtypes.bfloat16, 7),
}


def every_exponent(dtype: type, man_bits: int) -> np.ndarray:
    """All exponents of both signs, each with edge and middle significands."""
    bits = bit_type(dtype)
    width = np.dtype(dtype).itemsize * 8
    fields = np.arange(1 << (width - man_bits), dtype=bits) << bits(man_bits)
    trailing = [0, 1, (1 << man_bits) - 1, 1 << (man_bits - 1)]
    return np.concatenate([fields | bits(t) for t in trailing]).view(dtype)


def is_nan(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # signalling patterns
        return np.isnan(x)


def shared_inputs(dtype: type, man_bits: int) -> np.ndarray:
    special = np.array(SPECIAL).astype(dtype)
    patterns = random_patterns(1 << 20, 11, dtype)
    return np.concatenate([every_exponent(dtype, man_bits), with_neighbours(special), patterns])


@pytest.mark.parametrize("rounding", nf.roundings())
@pytest.mark.parametrize("carrier", CASES)
def test_identity(carrier: str, rounding: str) -> None:
    fmt, dtype, man_bits = CASES[carrier]
    x = shared_inputs(dtype, man_bits)
    key = 5 if nf.roundings()[rounding].stochastic else None
    got = nf.quantize(x, fmt, rounding, key=key)
    assert got.dtype == x.dtype
    number = ~is_nan(x)
    np.testing.assert_array_equal(
        got[number].view(bit_type(dtype)), x[number].view(bit_type(dtype))
    )
    assert is_nan(got[~number]).all()


@pytest.mark.parametrize("carrier", CASES)
def test_identity_through_codes(carrier: str) -> None:
    """The codes of an IEEE format in its own carrier are the carrier's bits."""
    fmt, dtype, man_bits = CASES[carrier]
    x = shared_inputs(dtype, man_bits)
    x = x[~is_nan(x)]
    codes = nf.encode(x, fmt)
    np.testing.assert_array_equal(codes, x.view(bit_type(dtype)))
    assert_same(nf.decode(codes, fmt), x, x)


@pytest.mark.parametrize("name", nf.formats())
def test_nan_stays_nan(name: str) -> None:
    """In every format, with or without a NaN code; other elements of its block may join it."""
    fmt = nf.formats()[name]
    x = np.float32([np.nan, -np.nan, 1.0] + [0.5] * 29)
    got = nf.quantize(x, fmt)
    assert np.isnan(got[:2]).all()
    if not isinstance(fmt, nf.BlockFloat):
        assert not np.isnan(got[2:]).any()


@pytest.mark.parametrize("name", [n for n, f in nf.formats().items() if isinstance(f, nf.Float)])
def test_nan_without_a_code_cannot_be_encoded(name: str) -> None:
    fmt = nf.formats()[name]
    x = np.float32([1.0, np.nan])
    if fmt.has_nan:
        assert np.isnan(nf.decode(nf.encode(x, fmt), fmt)[1])
        return
    with pytest.raises(ValueError, match="NaN"):
        nf.encode(x, fmt)
