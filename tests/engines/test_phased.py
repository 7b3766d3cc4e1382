"""Law: fidelity phases multiply parts of significands, written here in exact rationals."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import MACChain, PhasedChain
from tests import oracle
from tests.engines.inputs import assert_equal_bits

FP32 = nf.parse("fp32")
LOWEST = {"bf16": 2.0**-126, "tf32": 2.0**-126, "fp16": 2.0**-14, "e4m3": 0.0}
LEFT, RIGHT = (6, 10), (4, 9)  # fraction bits up to the end of each part


def nearest(x: Fraction) -> Fraction:
    return Fraction(oracle.quantize_exact(x, FP32, "nearest_even", None, "float32", x < 0))


def part(x: float, ends: tuple[int, int], second: int, low: float) -> Fraction:
    if x == 0 or abs(x) < low:
        return Fraction(0)
    unit = Fraction(2) ** (math.frexp(x)[1] - 1)
    cuts = [Fraction(math.trunc(Fraction(x) / unit * 2**end), 2**end) * unit for end in ends]
    return cuts[1] - cuts[0] if second else cuts[0]


def wanted(phases: int, low: float, row: Any, column: Any, c: Any) -> float:
    row, column, total = row.tolist(), column.tolist(), Fraction(float(c))
    for k in range(0, len(row), 16):
        for p in range(phases):
            block = Fraction(0)
            for x, y in zip(row[k : k + 16], column[k : k + 16], strict=True):
                product = part(x, LEFT, p >> 1, low) * part(y, RIGHT, p & 1, low)
                block = nearest(block + product)
            total = nearest(total + block)
    return float(total)


def operands(fmt: str, k: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(k)
    a, b, c = (
        rng.uniform(-2, 2, s) * np.exp2(rng.integers(-9, 9, s)) for s in ((5, k), (k, 6), (5, 6))
    )
    a[0, 0], b[0, 0] = LOWEST.get(fmt, 0.0) / 2, 2.0**8  # a subnormal number
    return nf.quantize(a, fmt), nf.quantize(b, fmt), c.astype(np.float32)


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("fmt, k", [("bf16", 40), ("tf32", 16), ("fp16", 7), ("e4m3", 33)])
@pytest.mark.parametrize("phases", [1, 2, 3, 4])
def test_parts_of_significands(fmt: str, k: int, phases: int, backend: str) -> None:
    a, b, c = operands(fmt, k)
    got = nf.matmul(a, b, c, engine=PhasedChain(fmt, fmt, phases=phases), backend=backend)
    exact = [
        [wanted(phases, LOWEST[fmt], r, col, c[i, j]) for j, col in enumerate(b.T)]
        for i, r in enumerate(a)
    ]
    np.testing.assert_array_equal(got, np.float32(exact))


def test_more_phases_are_nearer() -> None:
    """With BF16 four phases drop nothing; the last bit of TF32 on the right is lost."""
    a, b, _ = operands("bf16", 256)
    exact = a @ b
    errors = [
        np.abs(nf.matmul(a, b, engine=PhasedChain("bf16", "bf16", phases=n)) - exact).mean()
        for n in (1, 2, 3, 4)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[3] < errors[2] / 100
    x, one = np.float32([[1 + 2.0**-10]]), np.ones((1, 1), np.float32)
    engine = PhasedChain("tf32", "tf32")
    assert nf.matmul(x, one, engine=engine) == x
    assert nf.matmul(one, x, engine=engine) == 1


def test_two_phases_are_enough_for_few_bits_on_the_right() -> None:
    """BFP8 operands: six fraction bits fit the left part, and two right ones."""
    a, b, c = operands("float<8,6>", 64)
    two, four = (nf.matmul(a, b, c, engine=PhasedChain("bf16", "bf16", phases=n)) for n in (2, 4))
    chain = MACChain("bf16", "bf16", accumulator="fp32", chunk=16)
    assert_equal_bits(two, four)
    np.testing.assert_allclose(two, nf.matmul(a, b, c, engine=chain), rtol=1e-4, atol=1e-3)


def test_wide_formats_are_refused() -> None:
    with pytest.raises(ValueError, match="a_format='fp32': the unit reads at most TF32"):
        PhasedChain("fp32", "bf16")
    with pytest.raises(ValueError, match="phases=5"):
        PhasedChain("bf16", "bf16", phases=5)
