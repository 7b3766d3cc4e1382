"""Stationary laws on quadratics, of every sampler with every accumulator.

False alarms: each comparison is at 5 standard errors (6e-7), the Kolmogorov tests at 1e-6; the file
makes about 80 comparisons, so correct samplers fail it with probability below 1e-4. Seeds are
fixed.
"""

import numpy as np
import pytest
import torch
from scipy import stats

import numformats as nf
from samplers import SGHMC, Laplace, Precision, sghmc_one_pass
from tests.samplers import linear
from tests.samplers.algorithms import ALGORITHMS, CASES

pytestmark = pytest.mark.law

NUM_DATA, TEMPERATURE, CURVATURE, SIGMA = 4, 0.3, 2.0, 0.3
HEAT = TEMPERATURE / NUM_DATA
GAP = 1 / 16
FMT = nf.FixedPoint(6, 4)
COORDINATES, SETTLING = 20_000, 60


def rounding_share(u):
    """E f(1-f) for stochastic rounding of a Gaussian of ``u`` gaps, centred on the grid."""
    k = np.arange(1, 50)
    return 1 / 6 - np.sum(np.exp(-2 * np.pi**2 * k**2 * u**2) / (np.pi**2 * k**2))


def expected(recursion, accumulator):
    """Covariance of (θ, v) with weights and gradients on the grid of `FMT`; None: float32."""
    if accumulator is None:
        return linear.stationary(recursion, CURVATURE, SIGMA)
    sixth = GAP**2 / 6
    sigma_squared = SIGMA**2 + sixth + (CURVATURE**2 * sixth if accumulator == "full" else 0)
    rounding = [
        GAP**2 * rounding_share(std / GAP) if accumulator == "low" else 0
        for std in np.sqrt(np.diag(recursion.noise))
    ]
    return linear.stationary(recursion, CURVATURE, sigma_squared**0.5, rounding)


def states(optimizer, weight, sigma=SIGMA, curvature=CURVATURE, kept=5):
    """Kept states (θ, v) of independent coordinates, (components, kept, coordinates)."""
    rows = []
    for k in range(SETTLING + 20 * kept):
        noise = torch.from_numpy(nf.random.normal((len(weight),), nf.Key(11, k)))
        weight.grad = curvature * weight.detach() + sigma * noise
        optimizer.step()
        if k >= SETTLING and k % 20 == 19:
            with optimizer.accumulators():
                rows.append([weight.detach().double().clone()])
            if "velocity" in optimizer.state[weight]:
                rows[-1].append(optimizer.state[weight]["velocity"].double().clone())
    return np.array([[part.numpy() for part in row] for row in rows]).transpose(1, 0, 2)


def run(name, accumulator, seed=0, **changes):
    precision = None if accumulator is None else Precision(FMT, FMT, accumulator)
    weight = torch.nn.Parameter(torch.zeros(COORDINATES))
    options = {"num_data": NUM_DATA, "temperature": TEMPERATURE, "seed": seed} | changes
    return states(ALGORITHMS[name].build([weight], precision=precision, **options), weight)


def z_scores(found, covariance):
    """Distance of each mean product of components from ``covariance``, in standard errors."""
    scores = []
    for i, j in zip(*np.triu_indices(len(found)), strict=True):
        each = (found[i] * found[j]).mean(axis=0)
        error = each.std() / np.sqrt(each.size)
        scores.append((each.mean() - covariance[i, j]) / error)
    return np.array(scores)


@pytest.mark.parametrize("name, accumulator", [(n, None) for n in ALGORITHMS] + CASES)
def test_stationary_covariance_is_the_recursions(name, accumulator):
    covariance = expected(ALGORITHMS[name].recursion(HEAT), accumulator)
    found = run(name, accumulator)
    assert np.abs(z_scores(found, covariance)).max() < 5
    means = found.mean(axis=(1, 2)) / (found.mean(axis=1).std(axis=1) / COORDINATES**0.5)
    assert np.abs(means).max() < 5


@pytest.mark.parametrize("name", ALGORITHMS)
def test_coordinates_are_normal_and_independent(name):
    """Kolmogorov-Smirnov on the last state; lag-1 correlation along the tensor."""
    last = run(name, None, seed=2)[0, -1]
    scale = expected(ALGORITHMS[name].recursion(HEAT), None)[0, 0] ** 0.5
    assert stats.kstest(last / scale, "norm").pvalue > 1e-6
    assert abs(np.corrcoef(last[1:], last[:-1])[0, 1]) < 5 / COORDINATES**0.5


@pytest.mark.parametrize("name, accumulator", [(n, None) for n in ALGORITHMS] + CASES)
def test_a_wrong_temperature_is_rejected(name, accumulator):
    """Negative control: noise times 1.1^½."""
    covariance = expected(ALGORITHMS[name].recursion(HEAT), accumulator)
    assert (
        np.abs(z_scores(run(name, accumulator, temperature=1.1 * TEMPERATURE), covariance)).max()
        > 5
    )


@pytest.mark.parametrize("name", ["SGLD", "SGHMC", "pSGLD"])
def test_the_naive_accumulator_does_not_pass_for_the_corrected_one(name):
    """Negative control: its rounding adds to the variance where the step's noise is small."""
    changes = {"lr": 0.02} if name != "SGHMC" else {}
    recursions = {
        "SGLD": linear.langevin(0.02, HEAT),
        "pSGLD": linear.langevin(0.02 / 1.5, HEAT),
        "SGHMC": ALGORITHMS["SGHMC"].recursion(HEAT),
    }
    found = run(name, "low", **changes)
    assert np.abs(z_scores(found, expected(recursions[name], "variance_corrected"))).max() > 5


def test_the_papers_sign_is_rejected(monkeypatch):
    """Negative control: plus instead of minus before the gradient of the position."""
    right = sghmc_one_pass.moments
    monkeypatch.setattr(
        sghmc_one_pass, "moments", lambda d: right(d)._replace(kick_x=-right(d).kick_x)
    )
    covariance = expected(ALGORITHMS["SGHMC"].recursion(HEAT), None)
    assert np.abs(z_scores(run("SGHMC", None), covariance)).max() > 5


def test_drawing_position_and_velocity_independently_is_rejected(monkeypatch):
    """Negative control: the papers' variance-corrected draw, which loses the covariance."""
    right = sghmc_one_pass.moments
    covariance = expected(ALGORITHMS["SGHMC"].recursion(HEAT), "variance_corrected")
    monkeypatch.setattr(sghmc_one_pass, "moments", lambda d: right(d)._replace(cov=0.0))
    found = run("SGHMC", "variance_corrected")
    assert np.abs(z_scores(found, covariance)).max() > 5


@pytest.mark.parametrize("name", ALGORITHMS)
def test_parts_of_a_tensor_in_groups_have_the_law_of_the_whole(name):
    """Half of the coordinates in each of two groups, and no correlation between them."""
    halves = [torch.nn.Parameter(torch.zeros(COORDINATES // 2)) for _ in range(2)]
    groups = [{"params": [half]} for half in halves]
    optimizer = ALGORITHMS[name].build(groups, num_data=NUM_DATA, temperature=TEMPERATURE)
    for _ in range(SETTLING):
        for half in halves:
            half.grad = CURVATURE * half.detach()
        optimizer.step()
    first, second = (half.detach().double().numpy() for half in halves)
    covariance = linear.stationary(ALGORITHMS[name].recursion(HEAT), CURVATURE)
    assert np.abs(z_scores(np.append(first, second)[None, None], covariance)).max() < 5
    assert abs(np.corrcoef(first, second)[0, 1]) < 5 / len(first) ** 0.5


@pytest.mark.parametrize("name", ALGORITHMS)
def test_weight_decay_is_the_prior_precision(name):
    """A flat loss leaves the recursion on U = wd·θ²/2."""
    weight = torch.nn.Parameter(torch.zeros(COORDINATES))
    optimizer = ALGORITHMS[name].build([weight], num_data=10, weight_decay=0.8)
    found = states(optimizer, weight, sigma=0.0, curvature=0.0)
    covariance = linear.stationary(ALGORITHMS[name].recursion(0.1), 0.8)
    assert np.abs(z_scores(found, covariance)).max() < 5


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_laplace_prior_has_its_mean_magnitude(name):
    """E θ·∇U = T holds for every smooth stationary law, so E|θ| = scale; steps of this size are off
    by less than 4 %."""
    weight = torch.nn.Parameter(torch.zeros(COORDINATES))
    optimizer = ALGORITHMS[name].build([weight], num_data=1, prior=Laplace(2.0))
    found = np.abs(states(optimizer, weight, sigma=0.0, curvature=0.0, kept=10)[0])
    error = found.mean(axis=0).std() / COORDINATES**0.5
    assert abs(found[5:].mean() - 2.0) < 0.08 + 5 * error


def test_published_settings_of_the_gaussian():
    """W8F4, η = .09, u = 2, γ = 3, σ = .1: standard deviation 1.015 with the corrected draw."""
    weight = torch.nn.Parameter(torch.from_numpy(nf.random.normal((COORDINATES,), nf.Key(5))))
    precision = Precision("fixed<8,4>", "fixed<8,4>", "variance_corrected")
    optimizer = SGHMC(
        [weight], 0.09, num_data=1, friction=3.0, inverse_mass=2.0, precision=precision
    )
    found = states(optimizer, weight, sigma=0.1, curvature=1.0, kept=8)
    sigma = (0.1**2 + (1 / 16) ** 2 / 6) ** 0.5
    covariance = linear.stationary(linear.exponential(0.09, 3.0, 2.0, 1.0), 1.0, sigma)
    assert np.abs(z_scores(found, covariance)).max() < 5
    assert covariance[0, 0] ** 0.5 == pytest.approx(1.015, abs=1e-3)
