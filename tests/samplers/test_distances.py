"""Whole distributions: Wasserstein and Stein distances of samplers' draws from their laws.

False alarms: W2 to a normal is a Lipschitz function of independent normals (constant std/√n), so it
exceeds its mean by 5.26·std/√n with probability below 1e-6; the KSD's tail is 1e-6 by a scaled χ².
Below 2e-5 for the file. Seeds are fixed.
"""

import numpy as np
import pytest
import torch

from samplers import SGHMC, SGLD
from tests.samplers import distances, linear
from tests.samplers.algorithms import ALGORITHMS

pytestmark = pytest.mark.law

COORDINATES, NUM_DATA, CURVATURE = 20_000, 4, 2.0


def positions(name, steps=80, **options):
    """Independent chains on CURVATURE·θ²/2, after ``steps``."""
    weight = torch.nn.Parameter(torch.zeros(COORDINATES))
    optimizer = ALGORITHMS[name].build([weight], num_data=NUM_DATA, **options)
    for _ in range(steps):
        weight.grad = CURVATURE * weight.detach()
        optimizer.step()
    return weight.detach().double().numpy()


def excess(values, std):
    """W2 to N(0, std²) beyond its mean over exact samples, in units of std/√n."""
    rng = np.random.default_rng(3)
    exact = [distances.w2_to_normal(rng.normal(size=len(values)), 1.0) for _ in range(40)]
    found = distances.w2_to_normal(values, std) / std
    return (found - np.mean(exact)) * len(values) ** 0.5


@pytest.mark.parametrize("name", ALGORITHMS)
def test_positions_have_the_recursions_law(name):
    law = linear.stationary(ALGORITHMS[name].recursion(1 / NUM_DATA), CURVATURE)
    assert excess(positions(name), law[0, 0] ** 0.5) < 5.26


@pytest.mark.parametrize("name", ["SGLD", "SGHMC, BAOAB"])
def test_another_temperature_is_seen_by_w2(name):
    """Negative control: 15 % more than asked."""
    law = linear.stationary(ALGORITHMS[name].recursion(1 / NUM_DATA), CURVATURE)
    assert excess(positions(name, temperature=1.15), law[0, 0] ** 0.5) > 5.26


def plane(lr, steps=200):
    """SGLD on θᵀAθ/2 in the plane: each pair of coordinates is a chain."""
    curvature = torch.tensor([[1.0, 0.6], [0.6, 0.9]])
    weight = torch.nn.Parameter(torch.zeros(COORDINATES, 2))
    optimizer = SGLD([weight], lr, num_data=1)
    for _ in range(steps):
        weight.grad = weight.detach() @ curvature
        optimizer.step()
    return weight.detach().double().numpy(), curvature.double().numpy()


def test_w2_of_gaussians_in_the_plane():
    """Against Σ = A⁻¹(I - lr·A/2)⁻¹, and against the posterior A⁻¹, from which SGLD is as far as
    those two are from each other. W2 of fitted Gaussians is at most that of the samples (Gelbrich),
    hence √(λmax/n)-Lipschitz, and its mean is below √(2·tr Σ/n)."""
    lr = 0.4
    values, a = plane(lr)
    posterior = np.linalg.inv(a)
    stationary = posterior @ np.linalg.inv(np.eye(2) - lr * a / 2)
    fitted = values.mean(axis=0), np.cov(values.T, bias=True)
    widest = np.linalg.eigvalsh(stationary).max()
    allowed = (np.sqrt(2 * np.trace(stationary)) + 5.26 * np.sqrt(widest)) / COORDINATES**0.5
    assert distances.w2_gaussians(*fitted, np.zeros(2), stationary) < allowed
    apart = distances.w2_gaussians(np.zeros(2), posterior, np.zeros(2), stationary)
    assert apart > 2 * allowed  # the control: the posterior itself is not SGLD's law
    assert abs(distances.w2_gaussians(*fitted, np.zeros(2), posterior) - apart) < allowed


def logistic_score(x):
    """d/dx log of the logistic density."""
    return -np.tanh(x / 2)


def logistic_chains(count, steps, **options):
    """BAOAB on the logistic density, whose variance is π²/3."""
    weight = torch.nn.Parameter(torch.zeros(count))
    given = {"num_data": 1, "friction": 1.0, "integrator": "baoab"} | options
    optimizer = SGHMC([weight], 0.3, **given)
    for _ in range(steps):
        weight.grad = torch.tanh(weight.detach() / 2)
        optimizer.step()
    return weight.detach().double().numpy()


def exact_logistic(count, seed=0):
    return np.random.default_rng(seed).logistic(size=count)


def test_ksd_knows_the_logistic_density():
    """KSD² of exact draws falls as 1/n; the p-values of 20 samples stay above 1e-6, below which a
    sample of a normal with the same variance falls."""
    small, large = (
        np.mean([distances.ksd_squared(exact_logistic(n, i), logistic_score) for i in range(20)])
        for n in (75, 600)
    )
    assert small / large == pytest.approx(8, rel=0.5)
    reference = exact_logistic(1500, 99)
    found = [distances.ksd_p_value(exact_logistic(600, i), logistic_score, reference)
             for i in range(20)]  # fmt: skip
    assert min(found) > 1e-6
    assert max(found) > 0.5
    normal = np.random.default_rng(0).normal(size=3000) * np.pi / 3**0.5
    assert distances.ksd_p_value(normal, logistic_score, reference) < 1e-6


def test_baoab_draws_a_density_that_is_no_gaussian():
    reference = exact_logistic(1500, 99)
    values = logistic_chains(2000, 60)
    assert distances.ksd_p_value(values, logistic_score, reference) > 1e-6


@pytest.mark.parametrize("options", [{"temperature": 2.0}, {"inverse_mass": 1.0, "steps": 3}])
def test_ksd_sees_noise_that_is_too_large_and_chains_that_are_too_short(options):
    """Negative controls: noise times √2, and three steps from 0."""
    steps = options.pop("steps", 60)
    values = logistic_chains(2000, steps, **options)
    assert distances.ksd_p_value(values, logistic_score, exact_logistic(1500, 99)) < 1e-6


def test_ksd_cannot_see_a_missing_mode():
    """Why modes are counted elsewhere: one of two far modes passes, though W2 is 6."""
    values = np.random.default_rng(1).normal(size=800) + 6

    def score(x):
        return -x + 6 * np.tanh(6 * x)

    rng = np.random.default_rng(2)
    both = rng.normal(size=1500) + 6 * rng.choice([-1.0, 1.0], 1500)
    assert distances.ksd_p_value(values, score, both) > 1e-6
