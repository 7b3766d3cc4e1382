"""Law: stochastic rounding goes up with the fraction as probability, independently, repeatably."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
import torch
from scipy import special, stats

import numformats as nf
from numformats.core.deviate import deviate
from numformats.core.threefry import threefry
from tests import oracle
from tests.inputs import assert_same, assert_same_bits, hard_inputs
from tests.runnable import BACKENDS
from tests.statistics import FALSE_ALARM, binomial_p
from tests.threefry import KNOWN_ANSWERS, threefry2x32

pytestmark = pytest.mark.law

DRAWS = 200_000
FRACTIONS = [2.0**-12, 0.03125, 0.1, 0.25, 1 / 3, 0.5, 0.7, 0.96875, 1 - 2.0**-12]
# format, a grid point, the gap above it
PLACES: list[tuple[Any, float, float]] = [
    (nf.FixedPoint(8, 3), 2.0, 0.125),
    (nf.FixedPoint(8, 3), -2.0, -0.125),
    (nf.E4M3, 17.0 - 1.0, 2.0),
    (nf.E4M3, 2.0**-9, 2.0**-9),
    (nf.E4M3, 0.0, -(2.0**-9)),
    (nf.parse("binary8p1se"), 4.0, 4.0),
    (nf.BF16, 1.0, 2.0**-7),
]
ALLOWED = FALSE_ALARM / (4 * len(FRACTIONS) * len(PLACES))
FEW_BITS = [n for n, m in nf.roundings().items() if m.few_bits]


def steps_up(x: float, base: float, fmt: Any, seed: int, **how: Any) -> np.ndarray:
    """Which of ``DRAWS`` copies of ``x`` are rounded away from ``base``."""
    given = np.full(DRAWS, x, np.float32)
    how = {"rounding": "stochastic"} | how
    return np.asarray(nf.quantize(given, fmt, key=seed, **how) != np.float32(base))


def exact_fraction(x: float, base: float, gap: float) -> float:
    return float((np.float64(np.float32(x)) - base) / gap)


@pytest.mark.parametrize("fraction", FRACTIONS)
@pytest.mark.parametrize("fmt, base, gap", PLACES, ids=str)
def test_probability_is_the_fraction(fmt: Any, base: float, gap: float, fraction: float) -> None:
    x = base + gap * fraction
    up = steps_up(x, base, fmt, seed=101)
    p = exact_fraction(x, base, gap)
    assert binomial_p(int(up.sum()), DRAWS, p) > ALLOWED


@pytest.mark.parametrize("lag", [1, 2, 3, 64])
def test_elements_are_independent(lag: int) -> None:
    """Pairs a lag apart go up together with the square of the probability."""
    up = steps_up(2.0 + 0.125 * 0.3, 2.0, nf.FixedPoint(8, 3), seed=102)
    first = np.arange(DRAWS - lag)
    first = first[first // lag % 2 == 0]  # disjoint pairs
    both = int((up[first] & up[first + lag]).sum())
    p = exact_fraction(2.0 + 0.125 * 0.3, 2.0, 0.125)
    assert binomial_p(both, first.size, p * p) > ALLOWED


@pytest.mark.parametrize("other", [nf.Key(103, 1), nf.Key(104), nf.Key(103).fold(0)], ids=str)
def test_streams_are_independent(other: nf.Key) -> None:
    x = np.full(DRAWS, 2.0 + 0.0625, np.float32)
    one = nf.quantize(x, nf.FixedPoint(8, 3), "stochastic", key=nf.Key(103)) != 2.0
    two = nf.quantize(x, nf.FixedPoint(8, 3), "stochastic", key=other) != 2.0
    assert binomial_p(int((one & two).sum()), DRAWS, 0.25) > ALLOWED


def test_a_shifted_input_is_rejected() -> None:
    """Negative control: one percent too much is seen."""
    up = steps_up(2.0 + 0.125 * 0.31, 2.0, nf.FixedPoint(8, 3), seed=105)
    assert binomial_p(int(up.sum()), DRAWS, 0.3) < ALLOWED


def test_a_threshold_on_few_bits_is_rejected() -> None:
    """Negative control: four random bits cannot give a probability of one third."""
    up = steps_up(
        2.0 + 0.125 / 3, 2.0, nf.FixedPoint(8, 3), 106, rounding=FEW_BITS[0], random_bits=4
    )
    assert binomial_p(int(up.sum()), DRAWS, 1 / 3) < ALLOWED


def test_nearest_rounding_is_rejected() -> None:
    """Negative control: no randomness at all."""
    x = np.full(DRAWS, 2.0 + 0.125 / 3, np.float32)
    up = nf.quantize(x, nf.FixedPoint(8, 3)) != 2.0
    assert binomial_p(int(up.sum()), DRAWS, 1 / 3) < ALLOWED


def test_one_draw_for_all_is_rejected_as_dependent() -> None:
    """Negative control: pairs that share a random word."""
    up = np.repeat(steps_up(2.0 + 0.125 * 0.3, 2.0, nf.FixedPoint(8, 3), seed=102)[::2], 2)
    both = int((up[::2] & up[1::2]).sum())
    assert binomial_p(both, DRAWS // 2, 0.09) < ALLOWED


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("carrier", ["float32", "float64"])
@pytest.mark.parametrize("fmt", [nf.E4M3, nf.FixedPoint(8, 3), nf.parse("binary8p1se")], ids=str)
def test_all_bits_form(fmt: Any, carrier: str, backend: str) -> None:
    """Each element by the oracle, from the documented random words."""
    width = 32 if carrier == "float32" else 64
    x = hard_inputs(fmt, carrier, 48)
    words = nf.random.words(x.size, 7, bits=width)
    coins = [oracle.Coin(int(w), width) for w in words]
    wanted = oracle.quantize(x, fmt, "stochastic", coins, carrier)
    assert_same(nf.quantize(x, fmt, "stochastic", key=7, backend=backend), wanted, x)


@pytest.mark.parametrize("carrier", ["float32", "float64"])
@pytest.mark.parametrize("bits", [1, 2, 8, 16, 24, 30, 31, 32])
@pytest.mark.parametrize("mode", FEW_BITS)
def test_few_bit_forms(mode: str, bits: int, carrier: str) -> None:
    """P3109 v4.0 StochasticA, B and C with the top N bits of the element's word as R."""
    width = 32 if carrier == "float32" else 64
    for fmt in (nf.E4M3, nf.FixedPoint(8, 3), nf.parse("binary8p1se"), nf.parse("binary6p3sf")):
        x = hard_inputs(fmt, carrier, 32)
        words = nf.random.words(x.size, 8, bits=width)
        coins = [oracle.Coin(int(w) >> (width - bits), bits) for w in words]
        wanted = oracle.quantize(x, fmt, mode, coins, carrier)
        assert_same(nf.quantize(x, fmt, mode, key=8, random_bits=bits), wanted, x)


@pytest.mark.parametrize("name", ["e4m3", "fixed<8,3>", "mxfp8_e4m3", "nvfp4"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_thread_count_changes_nothing(name: str, dtype: Any) -> None:
    x = np.random.default_rng(1).normal(size=(997, 96)).astype(dtype)
    before, results = numba.get_num_threads(), []
    try:
        for threads in range(1, numba.config.NUMBA_NUM_THREADS + 1):
            numba.set_num_threads(threads)
            results.append(nf.quantize(x, name, "stochastic", key=9))
    finally:
        numba.set_num_threads(before)
    for other in results[1:]:
        assert_same_bits(other, results[0])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", ["e4m3", "fixed<8,3>", "mxfp8_e4m3"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
@pytest.mark.parametrize("cut", [32, 64, 4096])
def test_batch_split_changes_nothing(backend: str, name: str, dtype: Any, cut: int) -> None:
    x = np.random.default_rng(2).normal(size=10_016).astype(dtype)
    key = nf.Key(10, 11)
    whole = nf.quantize(x, name, "stochastic", key=key, backend=backend)
    parts = [
        nf.quantize(x[i : i + cut], name, "stochastic", key=key.at(i), backend=backend)
        for i in range(0, x.size, cut)
    ]
    assert_same_bits(np.concatenate(parts), whole)


@pytest.mark.parametrize("cut", [1, 7, 333])
def test_odd_batch_split_changes_nothing(cut: int) -> None:
    x = np.random.default_rng(3).normal(size=1000).astype(np.float32)
    whole = nf.quantize(x, "e4m3", "stochastic", key=nf.Key(12))
    parts = [
        nf.quantize(x[i : i + cut], "e4m3", "stochastic", key=nf.Key(12).at(i))
        for i in range(0, x.size, cut)
    ]
    assert_same_bits(np.concatenate(parts), whole)


def test_layout_and_kind_of_array_change_nothing() -> None:
    """Element i in C order draws word i, whatever the strides, in NumPy and in torch."""
    x = np.random.default_rng(4).normal(size=(30, 50)).astype(np.float32)
    wanted = nf.quantize(x, "e4m3", "stochastic", key=13)
    assert_same_bits(nf.quantize(np.asfortranarray(x), "e4m3", "stochastic", key=13), wanted)
    assert_same_bits(nf.quantize(x.reshape(-1), "e4m3", "stochastic", key=13), wanted.reshape(-1))
    assert_same_bits(nf.quantize(torch.tensor(x), "e4m3", "stochastic", key=13).numpy(), wanted)


def test_threefry_known_answers() -> None:
    """Random123's published vectors, in our text and in the tests' own."""
    for counter, key, wanted in KNOWN_ANSWERS:
        assert threefry2x32(counter, key) == wanted
        words = [np.array([w], np.uint32) for w in (*key, *counter)]
        got = threefry(*words)
        assert tuple(int(w[0]) for w in got) == wanted


@pytest.mark.parametrize("backend", BACKENDS)
def test_words_are_threefry_of_key_and_index(backend: str) -> None:
    """Key words are Threefry of the stream under the seed; element i reads counter i >> 1."""
    for seed, stream in ((0, 0), (1, 0), (2**63 + 5, 2**40 + 3)):
        halves = [(v & 0xFFFFFFFF, v >> 32) for v in (seed, stream)]
        key = threefry2x32(counter=halves[1], key=halves[0])
        pairs = [threefry2x32((i, 0), key) for i in range(50)]
        got = nf.random.words(99, nf.Key(seed, stream), backend=backend)
        np.testing.assert_array_equal(got, np.ravel(pairs)[:99].astype(np.uint32))
        wide = nf.random.words(50, nf.Key(seed, stream), bits=64, backend=backend)
        np.testing.assert_array_equal(wide, np.array([a << 32 | b for a, b in pairs], np.uint64))


def test_far_elements_use_the_upper_counter_word() -> None:
    start = (1 << 34) - 4
    key = threefry2x32((0, 0), (77, 0))
    pairs = [
        threefry2x32((c & 0xFFFFFFFF, c >> 32), key) for c in range(start // 2, start // 2 + 4)
    ]
    got = nf.random.words(8, nf.Key(77).at(start))
    np.testing.assert_array_equal(got, np.ravel(pairs).astype(np.uint32))


def test_every_bit_of_the_words_is_fair() -> None:
    words = np.asarray(nf.random.words(DRAWS, 14))
    for bit in range(32):
        ones = int((words >> np.uint32(bit) & np.uint32(1)).sum())
        assert binomial_p(ones, DRAWS, 0.5) > ALLOWED


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normals_are_the_quantiles_of_the_words(dtype: Any) -> None:
    """The top bit is the sign; the rest gives the tail probability (r + 1/2) / 2^32."""
    words = np.asarray(nf.random.words(DRAWS, 15))
    tail = ((words & np.uint32(0x7FFFFFFF)).astype(np.float64) + 0.5) * 2.0**-32
    wanted = -special.ndtri(tail) * np.where(words >> np.uint32(31), -1, 1)
    got = nf.random.normal((DRAWS,), 15, dtype)
    assert got.dtype == dtype
    if dtype == np.float32:
        assert (np.abs(got - wanted) <= 7e-7 * np.maximum(np.abs(wanted), 1)).all()
    else:
        np.testing.assert_allclose(got, wanted, rtol=4e-15)


def test_single_deviates_over_the_whole_range_of_words() -> None:
    """Words at both ends, at the change of branch, and a lattice through all of them: each within
    its bound, opposite for the two signs, in order; the second moment is that of the quantiles."""
    ends = np.arange(100_000, dtype=np.uint32)
    branch = np.uint32(0.00168730 * 2**32) + ends - np.uint32(50_000)  # 4 p (1 - p) = exp(-5)
    lattice = np.arange(0, 1 << 31, 1009, dtype=np.uint32)
    for words in (ends, branch, np.uint32(0x7FFFFFFF) - ends, lattice):
        wanted = -special.ndtri((words + 0.5) * 2.0**-32)
        got = deviate(words)
        assert (np.abs(got - wanted) <= 7e-7 * np.maximum(wanted, 1)).all()
        np.testing.assert_array_equal(deviate(words | np.uint32(1 << 31)), -got)
        assert np.abs(got).max() < 6.34
    assert abs((got.astype(np.float64) ** 2 - wanted**2).mean()) < 3e-7
    assert (np.diff(got[::1000]) < 0).all()


def test_normals_are_normal() -> None:
    got = nf.random.normal((DRAWS,), 16, np.float64)
    assert stats.kstest(got, "norm").pvalue > ALLOWED
    assert stats.kstest(got * 1.02, "norm").pvalue < 1e-3  # negative control
    pairs = got[0::2] * got[1::2]
    assert abs(pairs.mean()) * np.sqrt(pairs.size) < 6


def test_fold_gives_distinct_repeatable_keys() -> None:
    key = nf.Key(1)
    folded = [key.fold(i) for i in (0, 1, 2, 2**63)]
    assert len({k.words for k in folded} | {key.words}) == 5
    assert key.fold(2) == folded[2]


@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("fmt", ["e4m3", "mxfp8_e4m3", "bfp<8,block=16>"])
def test_large_arrays_in_place_and_apart(fmt: str, start: int) -> None:
    """Where the result lies changes nothing, nor does a stream that starts at an odd word."""
    x = np.random.default_rng(8).normal(size=(300, 16 * 33)).astype(np.float32)
    key = nf.Key(5, start=start)
    wanted = nf.quantize(x, fmt, "stochastic", key=key, backend="reference")
    out = np.empty_like(x)
    assert_same(nf.quantize(x, fmt, "stochastic", key=key, out=out), wanted)
    again = x.copy()
    assert_same(nf.quantize(again, fmt, "stochastic", key=key, out=again), wanted)
