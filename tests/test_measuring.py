"""Law: spacing is the gap of the grid, and error measures what its names say."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests import oracle
from tests.inputs import scalar_formats


@pytest.mark.parametrize("name", scalar_formats())
def test_spacing(name: str) -> None:
    """At every power of two in range, just below it, and in between."""
    fmt: Any = scalar_formats()[name]
    if not fmt.zero:
        pytest.skip("a format without zero has no gap below its smallest value")
    low, high = max(-120, -fmt.bias - 4), min(120, fmt.emax - 1)
    powers = np.exp2(np.arange(low, high, max(1, (high - low) // 60)))
    x = np.concatenate([powers, powers * 1.3, powers * (1 - 2.0**-30)])
    wanted = [float(oracle.step_at(fmt, Fraction(v)).gap) for v in x.tolist()]
    np.testing.assert_array_equal(nf.spacing(x, fmt), np.array(wanted))
    np.testing.assert_array_equal(nf.spacing(-x, fmt), np.array(wanted))


def test_spacing_of_float32_is_numpys() -> None:
    x = np.random.default_rng(1).normal(size=100).astype(np.float32)
    np.testing.assert_array_equal(nf.spacing(x, "fp32"), np.abs(np.spacing(x)))


def test_error_by_hand() -> None:
    """Fixed point with quantum 1 and range [-8, 7]: 1.25 -> 1, 0.25 -> 0, 9 -> 7, -8.5 -> -8."""
    x = np.float32([1.25, 0.25, 9.0, -8.5, 3.0])
    found = nf.error(x, nf.FixedPoint(4, 0))
    noise = 0.25**2 + 0.25**2 + 2.0**2 + 0.5**2
    signal = float((x.astype(np.float64) ** 2).sum())
    assert found.sqnr == pytest.approx(10 * np.log10(signal / noise), rel=1e-12)
    assert found.max_relative == 1.0
    assert found.max_absolute == 2.0
    assert found.saturated == 0.4
    assert found.flushed == 0.2
    assert found.non_finite == 0.0


def test_error_of_exact_and_of_special_input() -> None:
    assert nf.error(np.float32([1.0, 2.0]), "e4m3").sqnr == np.inf
    found = nf.error(np.float32([1.0, np.nan, np.inf, 3.0]), "e4m3")
    assert found.non_finite == 0.5
    assert found.max_absolute == 0.0


def test_error_of_uniform_noise() -> None:
    """Uniform input on a fine uniform grid: noise variance is quantum^2 / 12."""
    x = np.random.default_rng(2).uniform(-1, 1, 400_000).astype(np.float32)
    found = nf.error(x, nf.FixedPoint(12, 10))
    assert found.sqnr == pytest.approx(10 * np.log10((1 / 3) / (2.0**-20 / 12)), abs=0.05)
    assert found.max_absolute <= 2.0**-11


@pytest.mark.parametrize("name", ["float<12,3>", "float<15,3>"])
def test_formats_beyond_float64(name: str) -> None:
    """Every float64 lies in their range: nothing saturates, a gap is an eighth of the binade."""
    x = np.float64([1.1, -3.0, 2.0**1023, 1e-300])
    assert nf.error(x, name).saturated == 0
    np.testing.assert_array_equal(nf.spacing(x, name), np.ldexp(1 / 8, np.frexp(x)[1] - 1))


@pytest.mark.parametrize("name", ["binary16p1se", "binary16p3se", "float<16,52,specials=finite>"])
def test_no_gap_at_zero_where_float64_holds_none(name: str) -> None:
    gaps = nf.spacing(np.float64([0.0, 1e-320, 1.0]), name)
    assert gaps[0] == 0.0
    assert gaps[0] <= gaps[1] <= gaps[2]
