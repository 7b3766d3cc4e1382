"""Law: FMA chains and exact sums are correctly rounded; flushing units follow IEEE operations with
subnormals removed; integers are exact modulo the accumulator, or clamped."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import ExactFDPA, FlushedAddMul, FMAChain, IntegerDot, TruncatedFDPA
from tests import oracle
from tests.engines import oracle_chain
from tests.engines.inputs import assert_equal_bits

FP32, FP64 = nf.parse("fp32"), nf.parse("fp64")


def spread(shape: tuple[int, int], seed: int, exponents: int, dtype: Any = np.float64) -> Any:
    rng = np.random.default_rng(seed)
    x = np.ldexp(rng.uniform(-2, 2, shape), rng.integers(-exponents, exponents, shape))
    return x.astype(dtype)


def rounded(x: Fraction, fmt: Any, mode: str = "nearest_even") -> float:
    carrier = "float64" if fmt == FP64 else "float32"
    return oracle.quantize_exact(x, fmt, mode, None, carrier, x < 0)


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("fmt, dtype, spread_by", [(FP32, np.float32, 12), (FP64, np.float64, 30)])
@pytest.mark.parametrize("scale", [1.0, 2.0**-70])
def test_fma_chain(fmt: Any, dtype: Any, spread_by: int, scale: float, backend: str) -> None:
    """``scale``: products that underflow float32."""
    a, b = spread((6, 17), 1, spread_by) * scale, spread((17, 7), 2, spread_by) * scale
    a, b, c = a.astype(dtype), b.astype(dtype), (spread((6, 7), 3, 4) * scale**2).astype(dtype)

    def one(row: Any, column: Any, start: float, _: int) -> float:
        total = start
        for x, y in zip(row, column, strict=True):
            total = rounded(oracle_chain.exact_dot([x], [y], total), fmt)
        return total

    got = nf.matmul(a, b, c, engine=FMAChain(fmt), backend=backend)
    np.testing.assert_array_equal(got, oracle_chain.results(one, a, b, c).astype(dtype))


@pytest.mark.parametrize("value", [-0.0, 0.0, np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_fma_specials_and_zeros(value: float, dtype: Any) -> None:
    """One step equals IEEE multiplication and addition where these are exact."""
    x = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan], dtype)
    a, b = x[:, None], x[None, :]
    with np.errstate(invalid="ignore"):
        wanted = a * b + dtype(value)
    engine = FMAChain("fp32" if dtype is np.float32 else "fp64")
    c = np.full((7, 7), value, dtype)
    for backend in ("numba_cpu", "reference"):
        got = nf.matmul(a, b, c, engine=engine, backend=backend)
        assert_equal_bits(got, wanted, any_nan=True)


@pytest.mark.parametrize(
    "rounding, backend",
    [
        ("nearest_even", "numba_cpu"),
        ("toward_zero", "numba_cpu"),
        ("nearest_even", "reference"),
        ("to_odd", "reference"),
    ],
)
@pytest.mark.parametrize(
    "inputs, length, width", [("fp16", 4, 12), ("bf16", 2, 60), ("fp16", 9, 12)]
)
def test_exact_sums(inputs: str, length: int, width: int, rounding: str, backend: str) -> None:
    """Terms that cancel, and terms far below one half of the last place, decide the rounding."""
    a, b = (nf.quantize(spread(s, i, width), inputs) for i, s in ((1, (6, 18)), (2, (18, 6))))
    a[:, 1::3], b[1::3] = -a[:, ::3], b[::3]  # cancels exactly
    c = spread((6, 6), 3, 8, np.float32)

    def one(row: Any, column: Any, start: float, _: int) -> float:
        total = start
        for k in range(0, len(row), length):
            end = k + length
            total = rounded(
                oracle_chain.exact_dot(row[k:end], column[k:end], total), FP32, rounding
            )
        return total

    engine = ExactFDPA(inputs, inputs, length=length, rounding=rounding)
    got = nf.matmul(a, b, c, engine=engine, backend=backend)
    np.testing.assert_array_equal(got, oracle_chain.results(one, a, b, c).astype(np.float32))


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("block", [None, 3, 4, 32])
def test_results_of_groups_are_c_in_the_output_format(block: int | None, backend: str) -> None:
    """A c format with fewer exponents than the output's holds for the first group alone."""
    a, b, c = np.zeros((2, 8), np.float32), np.zeros((8, 3), np.float32), np.zeros((2, 3))
    a[:, 0], b[0], a[:, [1, 4]], b[[1, 4]] = 2.0**-10, 2.0**-10, 2.0**-20, 2.0**-20
    c[1] = 2.0**-24  # the smallest number of fp16: terms below 2**(-14 - 23) are cut beside it
    how: Any = {"length": 4, "frac_bits": 23, "zero_exp": -131, "c_format": "fp16"}
    scales: dict[str, Any] = {}
    if block:
        count = -(-8 // block)
        how |= {"scale": "e8m0", "scale_block": block}
        scales = {"scale_a": np.full((2, count), 0.5), "scale_b": np.full((count, 3), 2.0)}
    found = nf.matmul(a, b, c, engine=TruncatedFDPA("fp16", "fp16", **how), **scales,
                      backend=backend)  # fmt: skip
    wanted = 2.0**-20 + 2.0**-40 + np.where(c == 0, 2.0**-40, c)
    np.testing.assert_array_equal(found, wanted.astype(np.float32))


def test_no_products_give_c_in_the_output_format() -> None:
    unit = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma")
    c = np.float32([[1 + 2.0**-20, -3.0]])
    none = np.zeros((1, 0), np.float32), np.zeros((0, 2), np.float32)
    assert nf.matmul(*none, c, engine=unit).tolist() == [[1.0, -3.0]]
    assert nf.matmul(*none, engine=unit).tolist() == [[0.0, 0.0]]
    with pytest.raises(TypeError, match="c has dtype int32"):
        nf.matmul(*none, c.astype(np.int32), engine=unit)
    narrow = TruncatedFDPA("fp16", "fp16", length=4, frac_bits=24, c_format="fp16")
    with pytest.raises(ValueError, match=r"c\[0, 0\] = 1.00000095.* is no value of fp16"):
        nf.matmul(*none, c, engine=narrow)


def test_one_scale_for_a_row_takes_no_memory() -> None:
    unit = TruncatedFDPA("e4m3", "e4m3", length=32, frac_bits=25, scale="e8m0", scale_block=1 << 30)
    a, b = np.ones((4, 40), np.float32), np.ones((40, 5), np.float32)
    found = nf.matmul(a, b, engine=unit, scale_a=np.full((4, 1), 2.0), scale_b=np.ones((1, 5)))
    assert (found == 80.0).all()


def test_small_integers_are_exact_everywhere() -> None:
    """Sums that every format on the way holds: all units give float64's result."""
    rng = np.random.default_rng(6)
    for unit in nf.engines.units():
        if unit.scale:
            continue
        a, b = (rng.integers(-2, 3, s).astype(np.float32) for s in ((9, 23), (23, 8)))
        c = rng.integers(-8, 9, (9, 8)).astype(np.float32)
        got = nf.matmul(a, b, c, engine=unit.engine)
        np.testing.assert_array_equal(got, a @ b + c, str(unit))


def flushed(x: Any) -> Any:
    return np.where(np.abs(x) < 2.0**-126, np.copysign(np.float32(0), x), x)


@pytest.mark.parametrize("pairs", [2, 4])
def test_flushing_units(pairs: int) -> None:
    small = np.float32(2.0**-60)
    a, b = (spread(s, i, 8, np.float32) * small for i, s in ((1, (9, 8)), (2, (8, 9))))
    a, b, c = nf.quantize(a, "bf16"), nf.quantize(b, "bf16"), spread((9, 9), 3, 8, np.float32)
    a[0], b[:, 0] = 2.0**-127, 2.0**20  # subnormal factors
    c *= small * small
    read = np.where(np.abs(a) < 2.0**-126, np.float32(0), a)
    wanted = np.where(np.abs(c) < 2.0**-126, np.float32(0), c)
    for k in range(0, 8, pairs):
        terms = [flushed(read[:, i, None] * b[i]) for i in range(k, k + pairs)]
        total = flushed(terms[0] + terms[1])
        if pairs == 4:
            total = flushed(total + flushed(terms[2] + terms[3]))
        wanted = flushed(wanted + total)
    got = nf.matmul(a, b, c, engine=FlushedAddMul("bf16", pairs=pairs))
    assert 0 < np.count_nonzero(wanted == 0) < wanted.size
    assert_equal_bits(got, wanted)


INTEGER = {
    "int8": IntegerDot(),
    "wraps": IntegerDot(accumulator_bits=12),
    "saturates": IntegerDot(accumulator_bits=14, overflow="saturate", length=3),
    "saturates in 32 bits": IntegerDot(16, 16, overflow="saturate", length=2),
    "uint8 times int8": IntegerDot(8, 8, a_signed=False, accumulator_bits=17),
    "48 bits": IntegerDot(16, 16, accumulator_bits=48),
    "int4": IntegerDot(4, 4, accumulator_bits=8),
}


def integer_result(engine: Any, row: Any, column: Any, start: int) -> int:
    low, high = -(1 << (engine.accumulator_bits - 1)), (1 << (engine.accumulator_bits - 1)) - 1
    total, step = int(start), engine.length if engine.overflow == "saturate" else 1
    for k in range(0, len(row), step):
        total += sum(
            int(x) * int(y) for x, y in zip(row[k : k + step], column[k : k + step], strict=True)
        )
        if engine.overflow == "saturate":
            total = min(max(total, low), high)
    return (total - low) % (high - low + 1) + low


def integer_case(engine: Any) -> tuple[Any, Any, Any, Any]:
    """Operands, some of them the outermost, and the result."""
    rng = np.random.default_rng(8)
    sides = ((engine.a_bits, engine.a_signed), (engine.b_bits, engine.b_signed))
    (a_low, a_high), (b_low, b_high) = (
        (-(1 << (n - 1)), 1 << (n - 1)) if signed else (0, 1 << n) for n, signed in sides
    )
    a = rng.integers(a_low, a_high, (7, 29)).astype(np.int32)
    b = rng.integers(b_low, b_high, (29, 6)).astype(np.int32)
    a[0], b[:, 0] = a_high - 1, b_low  # far out
    c = rng.integers(-100, 100, (7, 6)).astype(np.int32)
    wanted = [
        [integer_result(engine, row, column, c[i, j]) for j, column in enumerate(b.T)]
        for i, row in enumerate(a)
    ]
    return a, b, c, wanted


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("name", INTEGER)
def test_integers(name: str, backend: str) -> None:
    engine = INTEGER[name]
    a, b, c, wanted = integer_case(engine)
    got = nf.matmul(a, b, c, engine=engine, backend=backend)
    np.testing.assert_array_equal(got, wanted)
    plain = a.astype(np.int64) @ b.astype(np.int64) + c
    assert (got == plain).all() == (name in ("int8", "48 bits"))
