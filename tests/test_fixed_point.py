"""Law: fixed point is a two's complement integer times a power of two, in exact rationals."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest

import numformats as nf
from tests import oracle
from tests.inputs import DTYPES, assert_same, hard_inputs, random_patterns

LAYOUTS = [(8, 3), (8, 0), (8, 8), (8, 12), (8, -3), (1, 0), (2, 1), (4, 2), (16, 8), (24, 20)]
WIDE = [(32, 0), (32, 16), (32, 31), (32, 40), (32, -8), (31, 15)]
KINDS = {
    "signed": {},
    "symmetric": {"symmetric": True},
    "unsigned": {"signed": False},
    "wrap": {"overflow": "wrap"},
    "unsigned wrap": {"signed": False, "overflow": "wrap"},
}


def made(layout: tuple[int, int], kind: str) -> nf.FixedPoint:
    if layout[0] == 1 and kind == "symmetric":
        pytest.skip("one signed bit has no symmetric range")
    return nf.FixedPoint(*layout, **KINDS[kind])


def shared_inputs(fmt: nf.FixedPoint, carrier: str) -> np.ndarray:
    """Hard inputs, and uniform ones to several times the range."""
    dtype = DTYPES[carrier]
    quantum = 2.0**-fmt.frac_bits
    rng = np.random.default_rng(4)
    wide = rng.uniform(-4, 4, 200) * quantum * 2.0**fmt.word_bits
    fine = rng.integers(-64, 64, 60) * quantum / 4
    with np.errstate(over="ignore"):
        more = np.concatenate([wide, fine]).astype(dtype)
    return np.concatenate([hard_inputs(fmt, carrier, 16), more])


@pytest.mark.parametrize("mode", oracle.DETERMINISTIC)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS + WIDE, ids=str)
def test_float64(layout: tuple[int, int], kind: str, mode: str) -> None:
    fmt = made(layout, kind)
    x = shared_inputs(fmt, "float64")
    wanted = oracle.quantize(x, fmt, mode, carrier="float64")
    assert_same(nf.quantize(x, fmt, mode), wanted, x)


@pytest.mark.parametrize("mode", ["nearest_even", "toward_negative"])
@pytest.mark.parametrize("carrier", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS + WIDE, ids=str)
def test_narrow_carriers(layout: tuple[int, int], kind: str, carrier: str, mode: str) -> None:
    fmt = made(layout, kind)
    x = shared_inputs(fmt, carrier)
    if fmt.overflow == "wrap" and not wraps_into(fmt, carrier):
        with pytest.raises(ValueError, match=carrier):
            nf.quantize(x, fmt, mode)
        return
    wanted = oracle.quantize(x, fmt, mode, carrier=carrier)
    assert_same(nf.quantize(x, fmt, mode), wanted, x)


def wraps_into(fmt: nf.FixedPoint, carrier: str) -> bool:
    """Whether the carrier holds whatever its own values wrap to.

    Signed results keep the trailing bits of the input, so only the range matters; a small negative
    number in an unsigned format wraps to a value with all leading bits set.
    """
    low, high = oracle.bounds(fmt)
    if fmt.signed:
        man_bits, emax = oracle.CARRIERS[carrier]
        return -low <= (2 - oracle.pow2(-man_bits)) * oracle.pow2(emax)
    return oracle.held(fmt, high, carrier) == high


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layout", LAYOUTS + WIDE, ids=str)
def test_codes_are_twos_complement(layout: tuple[int, int], kind: str) -> None:
    fmt = made(layout, kind)
    x = shared_inputs(fmt, "float64")
    x = x[np.isfinite(x)]
    values = oracle.quantize(x, fmt, "nearest_even", carrier="float64")
    wanted = [int(Fraction(v) * oracle.pow2(fmt.frac_bits)) % 2**fmt.word_bits for v in values]
    codes = nf.encode(x, fmt)
    np.testing.assert_array_equal(codes, np.array(wanted, np.uint64))
    assert_same(nf.decode(codes, fmt), values, x)


@pytest.mark.parametrize("signed, symmetric", [(True, False), (True, True), (False, False)])
@pytest.mark.parametrize("word_bits, frac_bits", itertools.product([2, 8, 32], [-3, 0, 7, 40]))
def test_range(word_bits: int, frac_bits: int, signed: bool, symmetric: bool) -> None:
    fmt = nf.FixedPoint(word_bits, frac_bits, signed=signed, symmetric=symmetric)
    top = 2 ** (word_bits - signed) - 1
    low = 0 if not signed else -top if symmetric else -top - 1
    assert fmt.max == top * 2.0**-frac_bits
    assert fmt.min == low * 2.0**-frac_bits
    assert fmt.smallest == 2.0**-frac_bits
    assert fmt.code_count == top - low + 1
    assert fmt.bits == word_bits


def test_integers_of_every_size_wrap() -> None:
    """On integers, wrapping is NumPy's cast to int8, int16 and int32."""
    x = random_patterns(4000, 1, np.float64)
    x = np.trunc(x[np.abs(x) < 2.0**62])
    x = np.concatenate([x, np.arange(-(2.0**9), 2.0**9), 2.0**31 + np.arange(-4.0, 4.0)])
    for width, integer in ((8, np.int8), (16, np.int16), (32, np.int32)):
        wanted = x.astype(np.int64).astype(integer).astype(np.float64)
        assert_same(nf.quantize(x, nf.FixedPoint(width, 0, overflow="wrap")), wanted, x)
