"""The closed forms of the Gaussian toy against exact finite-state chains, linear recursions of
another derivation, and integrals. No statistics."""

import math

import numpy as np
import pytest

from samplers.reproductions.closed_forms import forced, rounded, sghmc_variance, sgld_variance
from tests.samplers import linear, toy_oracle


@pytest.mark.parametrize("std", [0.02, 0.1, 0.3, 1.0])
def test_rounding_adds_the_mean_over_the_grid(std):
    gap = 0.25
    x = np.linspace(-9 * std, 9 * std, 400_001)
    density = np.exp(-(x**2) / (2 * std**2)) / (std * math.sqrt(2 * math.pi))
    f = np.mod(x / gap, 1)
    expected = np.sum(density * gap**2 * f * (1 - f)) * (x[1] - x[0])
    assert rounded(std, gap) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("variance", [0.0, 0.003, 0.01, 0.1])
def test_forced_variance_is_the_mean_over_positions(variance):
    gap, f = 0.25, np.linspace(0, 1, 100_001)
    expected = np.maximum(0, gap**2 * f * (1 - f) - variance).mean()
    assert forced(variance, gap) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("lr", [2e-2, 5e-3, 2e-3, 1e-3])
@pytest.mark.parametrize(
    "accumulator, kind", [("low", "SGLD-L"), ("variance_corrected", "VC SGLD-L")]
)
def test_sgld_has_the_variance_of_the_256_state_chain(accumulator, kind, lr):
    found = sgld_variance(accumulator, lr, gap=toy_oracle.D, gradient_noise=toy_oracle.SIGMA)
    assert found == pytest.approx(toy_oracle.stationary_variance(kind, lr), rel=1e-3)


@pytest.mark.parametrize("lr", [0.02, 0.09, 0.36])
def test_sghmc_has_the_variance_of_the_exact_recursion(lr):
    gap, law = 1 / 16, linear.exponential(lr, 3.0, 2.0, 1.0)
    options = {"friction": 3.0, "inverse_mass": 2.0, "gap": gap}
    assert sghmc_variance(None, lr, **options) == pytest.approx(linear.stationary(law)[0, 0])
    noisy = linear.stationary(law, sigma=gap / math.sqrt(6))
    assert sghmc_variance("full", lr, **options) == pytest.approx(noisy[0, 0])
    sixths = linear.stationary(law, rounding=[gap**2 / 6, gap**2 / 6])
    assert sghmc_variance("low", lr, **options) == pytest.approx(sixths[0, 0], rel=2e-3)
    wide = linear.stationary(law, rounding=[forced(law.noise[0, 0], gap), 0])
    assert sghmc_variance("variance_corrected", lr, **options) == pytest.approx(wide[0, 0])


def test_the_published_settings_of_sghmc_give_1_015():
    found = sghmc_variance(None, 0.09, friction=3.0, inverse_mass=2.0, gap=1.0)
    assert math.sqrt(found) == pytest.approx(1.015, abs=5e-4)
