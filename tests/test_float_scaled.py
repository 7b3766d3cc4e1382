"""Law: blocks with float scales are the same in the 32-bit lane; its quotients, rounded to odd,
are those of exact rationals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.core import carriers, quotient
from numformats.lanes import CARRIERS
from numformats.short_blocks import short
from tests.float_scaled import CASES, DRAWN, FORMATS, compare, hard_arrays, ties
from tests.inputs import DTYPES, assert_same_bits

EVEN = nf.roundings()["nearest_even"]


def rounded_to_odd(x: Fraction) -> int:
    """Bits of a positive number as float32: its lower neighbour, with an odd last bit where that is
    not it."""
    near = np.float32(float(x))
    while Fraction(float(near)) > x:
        near = np.nextafter(near, np.float32(0))
    while Fraction(float(np.nextafter(near, np.float32(np.inf)))) <= x:
        near = np.nextafter(near, np.float32(np.inf))
    return int(near.view(np.uint32)) | int(Fraction(float(near)) != x)


def divisors(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scales of 4 bits and float32 ones, half of them short, whose products, which float64 holds,
    lie between 2^-40 and 2^40."""
    level = (rng.integers(8, 16, n) / 8.0).astype(np.float32)
    second = rng.uniform(1, 2, n).astype(np.float32)
    second = np.where(rng.random(n) < 0.5, np.round(second * 1024) / 1024, second)
    second = (second * np.exp2(rng.integers(-40, 40, n))).astype(np.float32)
    return level, second, level.astype(np.float64) * second


def numerators(rng: np.random.Generator, divisor: np.ndarray) -> np.ndarray:
    """Near short multiples of the divisors, and anything."""
    near = (divisor * (rng.integers(1, 64, divisor.size) / 4)).astype(np.float32)
    beside = near.view(np.uint32) + rng.integers(-1, 2, divisor.size).astype(np.uint32)
    other = rng.uniform(0, 8, divisor.size) * divisor
    return np.where(rng.random(divisor.size) < 0.5, beside.view(np.float32), np.float32(other))


def in_float64(bits: np.ndarray, level: np.ndarray, second: np.ndarray) -> Any:
    divisor = level.astype(np.float64) * second
    return quotient.odd_quotient(bits, divisor, 1.0 / divisor)


def in_float32(bits: np.ndarray, level: np.ndarray, second: np.ndarray) -> Any:
    high = quotient.high_of(level, second)
    low, inverse = quotient.low_of(level, second, high), quotient.reciprocal_of(high)
    little = quotient.little_of(high, low, inverse)
    return quotient.quotient_by_parts(bits, high, low, inverse, little)


@pytest.mark.parametrize("form", [in_float64, in_float32])
def test_quotients_are_rounded_to_odd(form: Callable[..., Any]) -> None:
    rng = np.random.default_rng(4)
    level, second, divisor = divisors(rng, 20_000)
    x = numerators(rng, divisor)
    got = form(x.view(np.uint32), level, second)
    exact = [Fraction(float(a)) / Fraction(b) for a, b in zip(x, divisor, strict=True)]
    wanted = [rounded_to_odd(q) for q in exact]
    np.testing.assert_array_equal(got, wanted)
    assert 1000 < sum(w & 1 == 0 for w in wanted) < 19_000  # exact ones, and others


def test_a_quotient_to_nearest_would_be_seen() -> None:
    """Negative control: rounded to nearest, some quotients beside a tie become the tie."""
    rng = np.random.default_rng(5)
    level, second, divisor = divisors(rng, 20_000)
    x = numerators(rng, divisor)
    nearest = (x / divisor).astype(np.float32).view(np.uint32)
    assert (nearest != in_float64(x.view(np.uint32), level, second)).any()


def test_quotients_of_full_width() -> None:
    """Both forms where the float32 form is tightest: quotients halfway between float32, or beside
    that, divisors of 29 bits, both just below a power of two."""
    rng, n = np.random.default_rng(10), 1_000_000
    level = np.full(n, 1.875, np.float32)
    second = (2 - np.exp2(-23.0) * rng.integers(1, 200, n)).astype(np.float32)
    wanted = (1 << 24) - rng.integers(1, 100, n) + rng.choice([0, 0.5, 0.49999, 0.50001], n)
    x = (np.ldexp(wanted, -23) * level * second.astype(np.float64)).astype(np.float32)
    bits = x.view(np.uint32) + rng.integers(-1, 2, n).astype(np.uint32)
    np.testing.assert_array_equal(in_float32(bits, level, second), in_float64(bits, level, second))


@pytest.mark.parametrize("name, mode", CASES + DRAWN)
def test_the_cpu_gives_the_reference_s_bits(name: str, mode: str) -> None:
    fmt = FORMATS[name]
    assert short(fmt, nf.roundings()[mode], EVEN, CARRIERS["float32"])
    compare("numba_cpu", fmt, mode)


@pytest.mark.parametrize("name", ["nvfp4", "blocks of 64", "e5m2 scales", "integers"])
def test_large_arrays_and_in_place(name: str) -> None:
    """Arrays above the size at which threads share the work, some chunks with moderate scales and
    some without; into themselves and into others."""
    fmt = FORMATS[name]
    parts = [ties(fmt, np.random.default_rng(k)).reshape(-1) for k in range(12)]
    x = np.concatenate([*parts, *hard_arrays(fmt), *parts])
    assert x.size > 1 << 15
    wanted = nf.quantize(x, fmt, backend="reference")
    assert_same_bits(nf.quantize(x, fmt), wanted)
    own = x.copy()
    assert_same_bits(nf.quantize(own, fmt, out=own), wanted)
    tail = x[: -fmt.block_size - 3]  # a short block at the end
    assert_same_bits(nf.quantize(tail, fmt), nf.quantize(tail, fmt, backend="reference"))


@pytest.mark.parametrize("carrier", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", ["nvfp4", "one level", "integers"])
def test_half_width_carriers(name: str, carrier: str) -> None:
    """As stored on the CPU, by way of float32 in the reference; small arrays and large ones."""
    fmt = FORMATS[name]
    arrays = [x.reshape(8, -1) for x in hard_arrays(fmt)]
    arrays.append(np.concatenate(arrays).reshape(-1)[: 40 * 1024])
    for x in arrays:
        with np.errstate(over="ignore", invalid="ignore"):
            given = x.astype(DTYPES[carrier])
        wanted = nf.quantize(given, fmt, backend="reference")
        assert_same_bits(nf.quantize(given, fmt), wanted)
        assert_same_bits(nf.quantize(given.T, fmt), nf.quantize(given.T, fmt, backend="reference"))
        given[~np.isfinite(given)] = 1
        coded, got = nf.encode(given, fmt, backend="reference"), nf.encode(given, fmt)
        assert_same_bits(got.codes, coded.codes)
        assert_same_bits(got.scales, coded.scales)


@pytest.mark.parametrize("carrier", ["float16", "bfloat16"])
def test_the_nearest_half(carrier: str) -> None:
    """Against the conversions of NumPy and ml_dtypes: ties, subnormals, overflow, any pattern."""
    rng, step = np.random.default_rng(8), 1 << 12
    any_bits = rng.integers(0, 1 << 32, 100_000, np.uint32)
    ties = np.arange(0, 1 << 32, step, dtype=np.uint64).astype(np.uint32)
    bits = np.concatenate([any_bits, ties, ties + np.uint32(1), ties - np.uint32(1)])
    x = bits.view(np.float32)
    x = np.where(np.isnan(x), np.float32(np.nan), x)
    with np.errstate(over="ignore"):
        wanted = x.astype(DTYPES[carrier]).view(np.uint16)
    got = getattr(carriers, f"nearest_{carrier}")(x.view(np.uint32))
    np.testing.assert_array_equal(got.astype(np.uint16), wanted)


LONG = {
    "a scale of many bits": replace(nf.NVFP4, scale=nf.FP16),
    "a wide scale": nf.BlockFloat(nf.E2M1, 16, scale=nf.BF16, scale_rule="even"),
    "an element of many bits": replace(nf.NVFP4, element=nf.FP16),
    "a largest element of many bits": replace(nf.NVFP4, element=nf.FixedPoint(8, 6)),
    "a scale of zero bits' own": nf.BlockFloat(
        nf.E2M1, 16, scale=replace(nf.E4M3, subnormals=False), scale_rule="even"
    ),
}


@pytest.mark.parametrize("name", LONG)
def test_what_is_not_short_keeps_the_long_form(name: str) -> None:
    fmt = LONG[name]
    assert short(fmt, EVEN, EVEN, CARRIERS["float32"]) is None
    compare("numba_cpu", fmt, "nearest_even")


def test_other_carriers_and_modes_keep_the_long_form() -> None:
    assert short(nf.NVFP4, EVEN, EVEN, CARRIERS["float64"]) is None
    thirds = replace(EVEN, fraction="sticky")  # may ask for more than halves
    assert short(nf.NVFP4, thirds, EVEN, CARRIERS["float32"]) is None
