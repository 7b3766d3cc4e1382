"""Law: an element's own variance alone says how it is drawn: a number for all of them draws the
same bits, in float32 as in float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats import draw_tasks
from numformats.core.short_draw import OwnDraws
from numformats.draw_grids import draw_grid, own_draws, short_draw
from numformats.lanes import CARRIERS
from tests.inputs import assert_same_bits
from tests.own_variances import VARIANCES
from tests.test_short_draw import FORMATS, means

SINGLE = CARRIERS["float32"]
KEY = nf.Key(3, start=7)
PART = 301  # elements that share a variance
BACKENDS = ("reference", "numba_cpu")
Drawn = tuple[np.ndarray, tuple[int, int]]


def elements(fmt: Any) -> tuple[np.ndarray, np.ndarray]:
    """Means, and their variances."""
    mean = means(fmt, 0.1, np.random.default_rng(3))
    return mean, np.resize(np.repeat(VARIANCES, PART), mean.size)


def by_numbers(mean: np.ndarray, variance: np.ndarray, fmt: Any, backend: str) -> Drawn:
    """Each part drawn with one number."""
    found, deficit, saturated = np.empty_like(mean), 0, 0
    for at in range(0, mean.size, PART):
        part = slice(at, at + PART)
        how = {"key": KEY.at(KEY.start + at), "return_counts": True, "backend": backend}
        found[part], counts = nf.variance_corrected(mean[part], float(variance[at]), fmt, **how)
        deficit, saturated = deficit + counts.deficit, saturated + counts.saturated
    return found, (deficit, saturated)


def by_arrays(mean: np.ndarray, variance: np.ndarray, fmt: Any, backend: str) -> Drawn:
    how = {"key": KEY, "return_counts": True, "backend": backend}
    found, counts = nf.variance_corrected(mean, variance, fmt, **how)
    return found, (counts.deficit, counts.saturated)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_variances_of_elements_draw_what_numbers_do(fmt: Any, backend: str) -> None:
    mean, variance = elements(fmt)
    wanted, counts = by_numbers(mean, variance, fmt, backend)
    for given in (variance, variance.astype(np.float64)):
        got, counted = by_arrays(mean, given, fmt, backend)
        assert_same_bits(got, wanted)
        assert counted == counts


@pytest.mark.parametrize("change", ["gap", "low"])
def test_wrong_constants_are_seen(change: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: another gap, and variances that float32 does not serve."""
    mean, variance = elements(nf.BF16)
    unit, nothing, low, high = own_draws(draw_grid(nf.BF16, SINGLE))
    wrong = {
        "gap": OwnDraws(unit._replace(man_bits=unit.man_bits - np.int32(1)), nothing, low, high),
        "low": OwnDraws(unit, nothing, np.float32(0.0), high),
    }
    wanted, counts = by_numbers(mean, variance, nf.BF16, "numba_cpu")
    monkeypatch.setattr(draw_tasks, "own_draws", lambda g: wrong[change])
    got, counted = by_arrays(mean, variance, nf.BF16, "numba_cpu")
    same = got.view(np.uint32) == wanted.view(np.uint32)
    assert not same.all() or counted != counts


def test_a_positive_variance_is_no_zero_in_float32() -> None:
    """2^-170 is 0 in float32, and the draw of 2^-140 would have more than that."""
    mean, fmt = np.full(1000, 2.0**-140, np.float32), "fixed<8,40>"
    for backend in BACKENDS:
        wanted = by_numbers(mean, np.full(1000, 2.0**-170), fmt, backend)
        got = by_arrays(mean, np.full(1000, 2.0**-170), fmt, backend)
        assert_same_bits(got[0], wanted[0])
        assert got[1] == wanted[1]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_means_of_every_width_in_place(dtype: str) -> None:
    mean, variance = (a.astype(dtype) for a in elements(nf.E4M3))
    variance[~np.isfinite(variance)] = 1.0
    wanted = nf.variance_corrected(mean, variance, nf.E4M3, key=KEY, backend="reference")
    nf.variance_corrected(mean, variance, nf.E4M3, key=KEY, out=mean)
    assert_same_bits(mean, wanted)


@pytest.mark.parametrize("fmt", FORMATS, ids=str)
def test_which_variances_float32_serves(fmt: Any) -> None:
    """Those of ``short_draw``."""
    grid = draw_grid(fmt, SINGLE)
    _, nothing, low, high = own_draws(grid)
    for variance in VARIANCES:
        served = low <= variance <= high or variance == nothing
        assert served == (short_draw(grid, float(variance)) is not None), variance
