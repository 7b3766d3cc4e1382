"""Law: a variance-corrected draw has its mean and variance exactly, and is representable.

On a grid with gap D around the mean, an unbiased law has at least the variance D^2 f (1 - f), f the
position between the neighbours; so the promised variance is max(v, D^2 f (1 - f)).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf
from tests import oracle
from tests.inputs import assert_same_bits
from tests.statistics import LIMIT_Z, mean_z, variance_z

pytestmark = pytest.mark.law

DRAWS = 1_000_000
# variances in units of the squared gap: none, less than the grid forces, below and above 1/4, large
VARIANCES = [0.0, 0.02, 0.2, 0.3, 1.0, 9.0]
# format and a mean: on the grid, between, in the middle; beside a change of gap; subnormal; zero
SPARSE = nf.parse("float<4,3,subnormals=false>")  # a wide gap around zero, narrow ones beside it
PLACES: list[tuple[Any, float]] = [
    (nf.FixedPoint(8, 3), 2.0),
    (nf.FixedPoint(8, 3), 2.0125),
    (nf.FixedPoint(8, 3), -2.0625),
    (nf.FixedPoint(8, 3, symmetric=True), 0.11),
    (nf.E4M3, 17.0),
    (nf.E4M3, 16.0),
    (nf.E4M3, 15.9),
    (nf.E4M3, -31.7),
    (nf.E4M3, 0.0),
    (nf.E4M3, 2.0**-8 * 1.3),
    (nf.E2M1, 1.9),
    (nf.E2M1, -0.3),
    (nf.E5M2, 100.0),
    (nf.E5M2, 127.0),
    (nf.BF16, 1.0),
    (nf.BF16, 1.9985),
    (nf.BF16, 1e-3),
    (nf.parse("binary8p3se"), 0.6),
    (SPARSE, 2.0**-6 * 1.3),
    (SPARSE, 2.0**-6),
    (SPARSE, 2.0**-6 * -0.4),
    (SPARSE, 2.0**-5 * 1.1),
    (SPARSE, 2.0**-4),
]
BLOCKS = ["mxfp8_e4m3", "mxint8", "mxfp4", "bfp<8,block=16>", "nvfp4"]


def gap_at(fmt: Any, mean: float) -> tuple[float, float]:
    """The gap around ``mean`` and its position in it, by the oracle's grid."""
    a = abs(Fraction(np.float32(mean).item()))
    step = oracle.step_at(fmt, a or oracle.pow2(-1000))
    return float(step.gap), float((a - step.lower) / step.gap) if a else 0.0


def assert_law(draws: np.ndarray, mean: float, variance: float) -> None:
    """Mean and variance within ``LIMIT_Z`` standard errors."""
    draws = draws.astype(np.float64)
    if variance == 0:
        assert (draws == mean).all()
        return
    assert abs(mean_z(draws, mean, variance)) < LIMIT_Z, "mean"
    assert abs(variance_z(draws, mean, variance)) < LIMIT_Z, "variance"


def within_range(fmt: Any, mean: float, variance: float) -> bool:
    """Whether seven standard deviations (no draw goes further) stay inside the range."""
    reach = abs(mean) + 7 * variance**0.5 + 2 * gap_at(fmt, mean)[0]
    return reach < float(fmt.max)


@pytest.mark.parametrize("units", VARIANCES)
@pytest.mark.parametrize("fmt, mean", PLACES, ids=str)
def test_mean_variance_and_membership(fmt: Any, mean: float, units: float) -> None:
    mean32 = float(np.float32(mean))
    gap, position = gap_at(fmt, mean)
    variance = float(np.float32(units * gap * gap))
    if not within_range(fmt, mean, variance):
        pytest.skip("the law holds inside the range only")
    given = np.full(DRAWS, mean32, np.float32)
    draws, counts = nf.variance_corrected(given, variance, fmt, key=41, return_counts=True)
    forced = gap * gap * position * (1 - position)
    assert_law(draws, mean32, max(variance, forced))
    seen = np.unique(draws)
    members = [oracle.quantize_one(float(v), fmt, "nearest_even") for v in seen]
    np.testing.assert_array_equal(seen, np.array(members))
    assert counts.size == DRAWS
    assert counts.deficit == (DRAWS if forced > variance * 1.0001 else 0)
    assert counts.saturated == 0


@pytest.mark.parametrize("units", [0.0, 0.05, 0.2, 1.0, 9.0])
@pytest.mark.parametrize("position", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(name: str, position: float, units: float) -> None:
    """Every block has an anchor, which fixes its scale, and equal elements beside it."""
    fmt = nf.parse(name)
    size = fmt.block_size
    rows = DRAWS // size
    given = np.empty((rows, size), np.float32)
    given[:, 0] = 2.5 if name != "mxint8" else 2.25
    given[:, 1:] = 0.0
    given = nf.quantize(given, fmt)
    anchor = float(given[0, 0])
    scale = oracle_scale(fmt, anchor, given)
    gap, _ = gap_at(fmt.element, 0.6 * float(fmt.element.max))
    gap *= scale
    around = np.float32(round(0.3 * anchor / gap) * gap + position * gap)
    gap, position = scale * gap_in(fmt, around, scale), position_in(fmt, around, scale)
    given[:, 1:] = around
    variance = np.float32(units * gap * gap)
    if fmt.scale.man_bits and 0 < min(position, 1 - position) < 1e-3:
        pytest.skip("float32 holds no point of this grid but a neighbour of it")
    if float(around) + 7 * float(variance) ** 0.5 + 2 * gap > anchor:
        pytest.skip("a draw could raise the largest magnitude of the block")
    spread = np.full(given.shape, variance, np.float32)
    spread[:, 0] = 0.0
    draws = nf.variance_corrected(given, spread, fmt, key=42)
    assert_law(
        draws[:, 1:].ravel(),
        float(around),
        max(float(variance), gap**2 * position * (1 - position)),
    )
    np.testing.assert_array_equal(nf.quantize(draws[:500], fmt), draws[:500])


def oracle_scale(fmt: Any, anchor: float, block: np.ndarray) -> float:
    """The scale of a block whose largest value is ``anchor``."""
    from tests import oracle_blocks

    if not fmt.scale.man_bits:
        return float(oracle_blocks.power_scale(Fraction(anchor), fmt))
    second = oracle_blocks.tensor_scale_of(block.astype(np.float64), fmt)
    return float(oracle_blocks.fine_scale(Fraction(anchor), fmt, second) * second)


def gap_in(fmt: Any, value: float, scale: float) -> float:
    return gap_at(fmt.element, float(value) / scale)[0]


def position_in(fmt: Any, value: float, scale: float) -> float:
    step = oracle.step_at(fmt.element, Fraction(float(value)) / Fraction(scale))
    return float((Fraction(float(value)) / Fraction(scale) - step.lower) / step.gap)


@pytest.mark.parametrize("fmt", [nf.FixedPoint(8, 3), nf.E4M3, nf.BF16], ids=str)
def test_many_means_and_variances_at_once(fmt: Any) -> None:
    """A random mean and variance for each element: the errors, scaled, are (0, 1)."""
    rng = np.random.default_rng(5)
    mean = rng.uniform(-4, 4, DRAWS).astype(np.float32)
    gaps = nf.spacing(np.abs(mean), fmt).astype(np.float64)
    variance = (rng.uniform(0, 2, DRAWS) * gaps**2).astype(np.float32)
    draws = nf.variance_corrected(mean, variance, fmt, key=43).astype(np.float64)
    position = np.abs(mean.astype(np.float64)) / gaps % 1
    promised = np.maximum(variance.astype(np.float64), gaps**2 * position * (1 - position))
    error = (draws - mean) / np.sqrt(np.maximum(promised, 1e-30))
    error = error[promised > 0]
    assert abs(error.mean()) * np.sqrt(error.size) < LIMIT_Z
    assert abs(variance_z(error, 0.0, 1.0)) < LIMIT_Z


def rejected(draws: np.ndarray, mean: float, variance: float) -> bool:
    try:
        assert_law(draws, mean, variance)
    except AssertionError:
        return True
    return False


def wrong_laws(fmt: Any, mean: float, variance: float) -> dict[str, np.ndarray]:
    """Draws that look alike and are wrong."""
    given = np.full(DRAWS, mean, np.float32)
    noise = nf.random.normal((DRAWS,), 45)
    noisy = (given + np.float32(variance**0.5) * noise).astype(np.float32)
    return {
        "top-up dropped": nf.quantize(given, fmt, "stochastic", key=44),
        "noise too large": nf.variance_corrected(given, 2**0.5 * variance, fmt, key=44),
        "rounded after the noise": nf.quantize(noisy, fmt, "stochastic", key=44),
        "nearest after the noise": nf.quantize(noisy, fmt, key=44),
    }


@pytest.mark.parametrize("fmt, mean", [(nf.FixedPoint(8, 3), 2.0125), (nf.E4M3, 17.1)], ids=str)
def test_wrong_laws_are_rejected(fmt: Any, mean: float) -> None:
    """Negative control."""
    gap, _ = gap_at(fmt, mean)
    variance = 0.3 * gap * gap
    mean = float(np.float32(mean))
    accepted = nf.variance_corrected(np.full(DRAWS, mean, np.float32), variance, fmt, key=44)
    assert_law(accepted, mean, float(np.float32(variance)))
    for name, draws in wrong_laws(fmt, mean, variance).items():
        assert rejected(draws, mean, variance), name


def test_saturation_is_counted() -> None:
    fmt = nf.FixedPoint(8, 3)
    mean = np.full(10_000, fmt.max, np.float32)
    draws, counts = nf.variance_corrected(mean, 4.0, fmt, key=1, return_counts=True)
    assert draws.max() == fmt.max
    assert 4_000 < counts.saturated < 6_000
    assert counts.size == mean.size


def test_same_key_same_bits_in_every_layout() -> None:
    rng = np.random.default_rng(6)
    mean = rng.normal(size=(40, 25)).astype(np.float32)
    variance = rng.uniform(0, 0.1, mean.shape).astype(np.float32)
    draws = nf.variance_corrected(mean, variance, nf.E4M3, key=2)
    turned = nf.variance_corrected(np.asfortranarray(mean), variance, nf.E4M3, key=2)
    assert_same_bits(np.ascontiguousarray(turned), draws)
    tensor = nf.variance_corrected(
        torch.from_numpy(mean), torch.from_numpy(variance), nf.E4M3, key=2
    )
    assert isinstance(tensor, torch.Tensor)
    assert_same_bits(tensor.numpy(), draws)
    out = np.empty_like(mean)
    assert nf.variance_corrected(mean, variance, nf.E4M3, key=2, out=out) is out
    assert_same_bits(out, draws)
    assert (nf.variance_corrected(mean, variance, nf.E4M3, key=3) != draws).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_nan(dtype: Any) -> None:
    mean = np.array([1.1, np.nan, -1.1], dtype)
    draws = nf.variance_corrected(mean, 0.01, nf.E4M3, key=4)
    assert draws.dtype == dtype
    np.testing.assert_array_equal(np.isnan(draws), [False, True, False])


@pytest.mark.parametrize("variance", [-1.0, float("nan"), np.float32([0.1, -0.1])])
def test_impossible_variances_are_refused(variance: Any) -> None:
    with pytest.raises(ValueError, match="variance"):
        nf.variance_corrected(np.zeros(2, np.float32), variance, nf.E4M3, key=0)


def test_key_is_needed() -> None:
    with pytest.raises((TypeError, ValueError), match="key"):
        nf.variance_corrected(np.zeros(2, np.float32), 0.1, nf.E4M3, key=None)


@pytest.mark.parametrize(
    "variance, error, words",
    [
        (np.float32([]), ValueError, r"variance has shape \(0,\), mean \(3,\)"),
        (np.empty((0, 5)), ValueError, r"variance has shape \(0, 5\)"),
        (1j, TypeError, "variance has dtype complex128"),
        ("a", TypeError, "variance has dtype str"),
        (True, TypeError, "variance has dtype bool"),
    ],
)
def test_variances_that_are_none(variance: Any, error: Any, words: str) -> None:
    with pytest.raises(error, match=words):
        nf.variance_corrected(np.ones(3, np.float32), variance, "e4m3", key=0)
