"""Law: a multiply-accumulate chain is exact rational arithmetic, rounded after every step."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import MACChain
from tests.engines import oracle_chain
from tests.engines.inputs import assert_equal_bits

FP8 = ("e4m3", "e4m3")
ENGINES = {
    "fused": MACChain(*FP8, accumulator="fp16"),
    "narrow": MACChain(*FP8, accumulator="float<5,3>"),
    "product": MACChain("fp16", "bf16", accumulator="bf16", product="bf16"),
    "chunks": MACChain("fp16", "fp16", accumulator="dlfloat16", chunk=5, outer="fp32"),
    "tree": MACChain("fp16", "fp16", accumulator="fp16", order="pairwise", chunk=4, outer="fp32"),
    "whole tree": MACChain("fp32", "fp32", accumulator="bf16", order="pairwise"),
    "fixed": MACChain("fixed<8,4>", "fixed<8,4>", accumulator="fixed<16,6>"),
    "wrapping": MACChain(
        "fixed<8,4>", "fixed<8,4>", accumulator=nf.FixedPoint(9, 4, overflow="wrap")
    ),
    "fp32": MACChain("fp32", "fp32", accumulator="fp32"),
    "unsigned times signed": MACChain(
        nf.FixedPoint(8, 0, signed=False), nf.FixedPoint(8, 7), accumulator=nf.FixedPoint(20, 4)
    ),
}
MODES = [name for name, mode in nf.roundings().items() if not mode.stochastic]
SEED, STREAM = 7, 3


def random(fmt: Any, shape: tuple[int, int], seed: int) -> Any:
    """Values of moderate size, so that chains stay finite and lose bits."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape) * np.exp2(rng.integers(-5, 4, shape))
    x = np.where(rng.random(shape) < 0.1, 0.0, x)
    return nf.quantize(x, fmt, "toward_zero")


def case(engine: Any, rows: int = 5, columns: int = 6, k: int = 13) -> tuple[Any, Any, Any]:
    a, b = random(engine.a_format, (rows, k), 1), random(engine.b_format, (k, columns), 2)
    return a, b, random(engine.c_values, (rows, columns), 3)


def wanted(engine: Any, a: Any, b: Any, c: Any) -> Any:
    def one(row: Any, column: Any, start: float, index: int) -> float:
        def words(event: int) -> int:
            return oracle_chain.word_of(SEED, STREAM, event, index)

        return oracle_chain.accumulate(engine, row, column, start, words)

    return oracle_chain.results(one, a, b, c)


def got(engine: Any, a: Any, b: Any, c: Any, backend: str = "auto") -> Any:
    return nf.matmul(a, b, c, engine=engine, key=nf.Key(SEED, STREAM), backend=backend)


@pytest.mark.parametrize("name", ENGINES)
def test_every_mode_equals_exact_rationals(name: str) -> None:
    """The reference backend: its rounding is tested against the same oracle elsewhere."""
    for rounding in (*MODES, "stochastic"):
        engine = replace(ENGINES[name], rounding=rounding)
        operands = case(engine)
        exact = wanted(engine, *operands)
        np.testing.assert_array_equal(got(engine, *operands, "reference"), exact, rounding)


COMPILED = ["fused", "narrow", "chunks", "fixed", "wrapping", "fp32", "unsigned times signed"]


@pytest.mark.parametrize(
    "name, rounding",
    [
        *((name, "nearest_even") for name in COMPILED),
        ("product", "stochastic"),
        ("tree", "stochastic"),
        ("whole tree", "stochastic"),
    ],
)
def test_compiled_chains_equal_exact_rationals(name: str, rounding: str) -> None:
    engine = replace(ENGINES[name], rounding=rounding)
    operands = case(engine)
    np.testing.assert_array_equal(got(engine, *operands), wanted(engine, *operands))


@pytest.mark.parametrize("name", ["fused", "tree"])
def test_rounding_matters(name: str) -> None:
    """Each law above could fail: other modes, and no rounding at all, give something else."""
    engine = ENGINES[name]
    a, b, c = case(engine)
    even = got(engine, a, b, c, "reference")
    assert (even != got(replace(engine, rounding="toward_zero"), a, b, c, "reference")).any()
    assert (even != a.astype(np.float64) @ b.astype(np.float64) + c).any()


def test_backends_agree_on_nan_and_inf() -> None:
    rng = np.random.default_rng(5)
    engine = replace(ENGINES["product"], rounding="stochastic")
    a, b, c = case(engine, 8, 300, 20)
    for x in (a, b, c):
        flat = x.reshape(-1)
        flat[rng.integers(0, flat.size, 3)] = [np.nan, np.inf, -np.inf]
        flat[rng.integers(0, flat.size, 9)] *= -0.0
    both = [got(engine, a, b, c, backend) for backend in ("numba_cpu", "reference")]
    assert np.isnan(both[0]).any()
    assert np.isfinite(both[0]).any()
    assert_equal_bits(*both)


def test_stochastic_accumulation_is_unbiased() -> None:
    """The mean over 40,000 draws is within 5 standard errors (false alarm 6e-7) of the exact sum,
    where truncation is 100 away."""
    k, n = 16, 40_000
    engine = MACChain(*FP8, accumulator="float<5,3>", rounding="stochastic", order="pairwise")
    a = nf.quantize(np.random.default_rng(1).uniform(0.5, 2, (1, k)), "e4m3")
    b = np.ones((k, n))
    draws = got(engine, a, b, None).astype(np.float64)
    error = draws.std() / np.sqrt(n)
    assert abs(draws.mean() - a.sum()) < 5 * error
    engine = replace(engine, rounding="toward_zero")
    truncated = got(engine, a, b[:, :100], None, "reference")
    assert abs(truncated.mean() - a.sum()) > 100 * error


def test_equal_keys_give_equal_bits_and_others_do_not() -> None:
    engine = replace(ENGINES["tree"], rounding="stochastic")
    a, b, c = case(engine, 20, 30)
    first = nf.matmul(a, b, c, engine=engine, key=1)
    assert_equal_bits(first, nf.matmul(a, b, c, engine=engine, key=1))
    assert (first != nf.matmul(a, b, c, engine=engine, key=2)).any()


def test_few_random_bits() -> None:
    """With 3 random bits the compiled chain gives the reference's draws, and not those of 4."""
    engine = MACChain(*FP8, accumulator="float<5,3>", rounding="stochastic_b", random_bits=3)
    a, b, c = case(engine, 9, 20)
    assert (got(replace(engine, random_bits=4), a, b, c) != got(engine, a, b, c)).any()
    assert_equal_bits(got(engine, a, b, c, "reference"), got(engine, a, b, c))


@pytest.mark.parametrize("name", ENGINES)
def test_engines_are_plain_data(name: str) -> None:
    engine = ENGINES[name]
    again = pickle.loads(pickle.dumps(engine))
    assert (again, hash(again)) == (engine, hash(engine))
