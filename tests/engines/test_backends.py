"""Law: the compiled kernels give the reference's bits for every unit, for any number of threads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numba
import numpy as np
import pytest

import numformats as nf
from tests.engines.inputs import assert_equal_bits, operands

SAME_INPUTS = [unit for unit in nf.engines.units() if unit.a == unit.b]
DISTINCT = list({unit.engine: unit for unit in SAME_INPUTS}.values())


def label(unit: Any) -> str:
    return "-".join(str(part) for part in (*unit[:5], unit.scale, unit.scale_block) if part)


def product(unit: Any, backend: str, rows: int = 9, columns: int = 14) -> Any:
    a, b, c, *scales = operands(unit, rows, columns, 64 if unit.scale else 70, 21)
    names = dict(zip(("scale_a", "scale_b"), scales, strict=False))
    with np.errstate(all="ignore"):
        return nf.matmul(a, b, c, engine=unit.engine, backend=backend, **names)


@pytest.mark.parametrize("unit", DISTINCT, ids=label)
def test_backends_agree(unit: Any) -> None:
    assert_equal_bits(product(unit, "numba_cpu"), product(unit, "reference"))


def test_threads_change_nothing() -> None:
    unit = next(u for u in DISTINCT if u.chip.startswith("nvidia-") and u.a == "bf16")
    threads = numba.get_num_threads()
    both = []
    for count in {1, threads}:
        numba.set_num_threads(count)
        both.append(product(unit, "numba_cpu", 100, 600))
    numba.set_num_threads(threads)
    assert_equal_bits(both[0], both[-1])


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
def test_zero_terms_have_an_exponent(backend: str) -> None:
    """2**-149 - 2**-160 and 2**-160 beside a c that is zero: with e_zero = -133 and F = 25 both are
    cut at 2**-158 and the sum falls short of 2**-149; with e_zero = -140 it does not."""
    engine = nf.engine("nvidia-h100", inputs="bf16")
    small = 2.0**-80
    a, b = np.float32([[23 * small, small]]), np.float32([[89 * small], [small]])
    assert nf.matmul(a, b, engine=engine, backend=backend).item() == 0.0
    lower = replace(engine, zero_exp=-140)
    assert nf.matmul(a, b, engine=lower, backend=backend).item() == 2.0**-149


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("special", [np.nan, np.inf, -np.inf])
def test_cdna3_fp8_drops_a_special_c_beside_large_products(special: float, backend: str) -> None:
    """NaN and Inf of c count as having exponent -1, 25 and more below exponents above 24."""
    engine = nf.engine("amd-mi300", inputs="e5m2fnuz")
    c = np.float32([[special]])
    for exponent, dropped in ((24, False), (25, True)):
        a, b = np.float32([[2.0**12]]), np.float32([[2.0 ** (exponent - 12)]])
        got = nf.matmul(a, b, c, engine=engine, backend=backend).item()
        assert (got == 2.0**exponent) == dropped
        assert np.isfinite(got) == dropped
