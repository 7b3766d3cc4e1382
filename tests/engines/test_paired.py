"""Law: bfloat16 dot products of CPUs follow their instruction, written here in exact rationals."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import PairedDot
from tests import oracle
from tests.engines.inputs import assert_equal_bits

FP32 = nf.parse("fp32")
BACKENDS = ["numba_cpu", "reference"]
TINY = Fraction(1, 1 << 126)


def flush(x: Fraction) -> Fraction:
    return Fraction(0) if abs(x) < TINY else x


def nearest(x: Fraction) -> Fraction:
    return flush(Fraction(oracle.quantize_exact(x, FP32, "nearest_even", None, "float32", x < 0)))


def odd(x: Fraction) -> Fraction:
    x = flush(x)
    if x == 0:
        return x
    gap = oracle.pow2(oracle.floor_log2(abs(x)) - 23)
    whole = abs(x) // gap
    whole |= int(whole * gap != abs(x))
    return whole * gap * (-1 if x < 0 else 1)


def vdpbf16ps(a: list[Fraction], b: list[Fraction], c: Fraction) -> Fraction:
    for k in range(0, len(a), 2):
        c = nearest(a[k + 1] * b[k + 1] + c)
        c = nearest(a[k] * b[k] + c)
    return c


def tdpbf16ps(a: list[Fraction], b: list[Fraction], c: Fraction) -> Fraction:
    for start in range(0, len(a), 32):
        parts = [Fraction(0), Fraction(0)]
        for k in range(start, min(start + 32, len(a))):
            parts[k % 2] = nearest(a[k] * b[k] + parts[k % 2])
        c = nearest(c + nearest(parts[0] + parts[1]))
    return c


def bfdot(a: list[Fraction], b: list[Fraction], c: Fraction) -> Fraction:
    for k in range(0, len(a), 2):
        c = odd(c + odd(odd(a[k] * b[k]) + odd(a[k + 1] * b[k + 1])))
    return c


RULES = {"vdpbf16ps": vdpbf16ps, "tdpbf16ps": tdpbf16ps, "bfdot": bfdot}


def operands(k: int, exponents: int, seed: int) -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(seed)

    def some(*shape: int) -> Any:
        x = np.ldexp(rng.uniform(-2, 2, shape), rng.integers(-exponents, exponents + 1, shape))
        return x.astype(np.float32)

    return nf.quantize(some(5, k), "bf16"), nf.quantize(some(k, 6), "bf16"), some(5, 6)


def exact(rule: Any, a: Any, b: Any, c: Any) -> Any:
    def numbers(x: Any) -> list[Fraction]:
        found = [flush(Fraction(float(v))) for v in x]
        return found + [Fraction(0)] * (len(found) % 2)

    out = np.empty(c.shape, np.float32)
    for i, j in np.ndindex(c.shape):
        start = flush(Fraction(float(c[i, j])))
        out[i, j] = float(rule(numbers(a[i]), numbers(b[:, j]), start))
    return out


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("k, exponents", [(1, 3), (2, 20), (7, 10), (32, 3), (75, 6), (16, 63)])
@pytest.mark.parametrize("name", RULES)
def test_the_instructions_rule(name: str, k: int, exponents: int, backend: str) -> None:
    a, b, c = operands(k, exponents, k)
    got = nf.matmul(a, b, c, engine=PairedDot(name), backend=backend)
    np.testing.assert_array_equal(got, exact(RULES[name], a, b, c))


@pytest.mark.parametrize("name", RULES)
def test_rules_differ_from_one_another(name: str) -> None:
    """Negative control: another instruction's rule misses."""
    a, b, c = operands(32, 3, 0)
    got = nf.matmul(a, b, c, engine=PairedDot(name))
    for other in RULES.keys() - {name}:
        assert (got != exact(RULES[other], a, b, c)).any()


@pytest.mark.parametrize("name", RULES)
def test_backends_agree_on_every_pattern(name: str) -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.integers(0, 1 << 16, shape).astype(np.uint32) << 16 for shape in ((24, 6), (6, 24)))
    a[0], b[:, 0] = 0x7F800000, 0x00010000
    c = rng.integers(0, 1 << 32, (24, 24), np.uint64).astype(np.uint32).view(np.float32)
    given = (a.view(np.float32), b.view(np.float32), c)
    one, two = (nf.matmul(*given, engine=PairedDot(name), backend=x) for x in BACKENDS)
    assert_equal_bits(one, two)


@pytest.mark.parametrize("name", RULES)
def test_subnormals_are_zeros_and_overflow_is_infinite(name: str) -> None:
    one, tiny, big = np.float32([[1.0]]), np.float32([[2.0**-130]]), np.float32([[3e38]])
    engine = PairedDot(name)
    assert nf.matmul(tiny, one, engine=engine) == 0
    assert nf.matmul(one, one, tiny, engine=engine) == 1
    small = np.float32([[2.0**-100]])
    assert nf.matmul(small, small, engine=engine) == 0
    big = nf.quantize(big, "bf16")
    assert nf.matmul(big, np.float32([[4.0]]), engine=engine) == np.inf
    assert np.isnan(nf.matmul(np.float32([[np.inf]]), np.float32([[0.0]]), engine=engine))


def test_units_by_name() -> None:
    for chip in ("intel-avx512", "intel-amx", "arm-bf16"):
        assert isinstance(nf.engine(chip, inputs="bf16"), PairedDot)
    with pytest.raises(ValueError, match="vdpbf16ps"):
        PairedDot("vdpbf16")
