"""The Gaussian toy U = θ²/2 through the public optimizer, against closed forms and the exact
finite-state chain.

False alarms: each statistic is compared with a normal quantile of 5 (6e-7) or a χ² tail of 1e-6;
the file makes 19 such comparisons, so a correct sampler fails it with probability below 2e-5. Seeds
are fixed.
"""

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import numformats as nf
from samplers import Precision
from samplers.toy import GRADIENT_NOISE, SAMPLERS, toy_chains
from tests.samplers import toy_oracle as oracle

pytestmark = pytest.mark.law

FMT = nf.FixedPoint(8, 3)
LOW = ("SGLD-L", "VC SGLD-L")
TABLE = [
    (2e-2, 1.0760, 1.01023),
    (5e-3, 1.2636, 1.00254),
    (2e-3, 1.6501, 1.00101),
    (1e-3, 2.2401, 1.00051),
    (5e-4, 3.1553, 1.00025),
]


def precision(kind, rounding="stochastic"):
    return Precision(FMT, FMT, SAMPLERS[kind], rounding)


def z_score(kind, lr, used, coordinates=20_000, steps=200):
    """Variance of independent chains started from stationarity, in standard errors from the exact
    one."""
    rng = np.random.default_rng(1)
    start = rng.choice(oracle.STATES, coordinates, p=oracle.stationary(kind, lr)).astype(np.float32)
    states = toy_chains(
        torch.from_numpy(start), used, lr=lr, steps=steps, seed=5, record_every=steps // 10
    )
    per_chain = (states.double() ** 2).mean(dim=0).numpy()
    error = per_chain.std() / np.sqrt(coordinates)
    return (per_chain.mean() - oracle.stationary_variance(kind, lr)) / error


def transition_p_value(kind, lr, used, chains=5000):
    """χ² of one step from 20 states against the rows of the exact transition matrix."""
    states = np.arange(-38, 40, 4)
    start = torch.from_numpy(np.repeat(states * oracle.D, chains).astype(np.float32))
    after = toy_chains(start, used, lr=lr, steps=1, seed=7)[0].numpy().reshape(len(states), chains)
    statistic, degrees = 0.0, 0
    for state, reached in zip(states, after, strict=True):
        expected = chains * oracle.transition(kind, lr)[state + 128]
        counts = np.bincount(np.rint(reached / oracle.D).astype(int) + 128, minlength=256)
        likely = expected >= 10
        pairs = [
            (counts[likely], expected[likely]),
            (counts[~likely].sum(), expected[~likely].sum()),
        ]
        statistic += sum(np.sum((c - e) ** 2 / np.maximum(e, 1)) for c, e in pairs)
        degrees += likely.sum()
    return chi2.sf(statistic, degrees)


@pytest.mark.parametrize("lr, naive, corrected", TABLE)
def test_oracle_reproduces_the_published_table(lr, naive, corrected):
    assert oracle.stationary_variance("SGLD-L", lr) == pytest.approx(naive, abs=2e-4)
    assert oracle.stationary_variance("VC SGLD-L", lr) == pytest.approx(corrected, abs=2e-5)


@pytest.mark.parametrize("lr", [2e-2, 5e-3, 2e-3, 1e-3])
@pytest.mark.parametrize("kind", LOW)
def test_stationary_variance_is_the_exact_chains(kind, lr):
    assert abs(z_score(kind, lr, precision(kind))) < 5


@pytest.mark.parametrize("lr", [2e-2, 2e-3, 1e-3])
@pytest.mark.parametrize("kind", LOW)
def test_one_step_follows_the_exact_transition_matrix(kind, lr):
    assert transition_p_value(kind, lr, precision(kind)) > 1e-6


def test_full_accumulator_has_the_closed_form_variance():
    lr, coordinates, sixth = 0.2, 50_000, 1 / 6
    rounding = oracle.D**2 * sixth
    expected = (2 * lr + lr**2 * (GRADIENT_NOISE**2 + 2 * rounding)) / (lr * (2 - lr))
    states = toy_chains(
        torch.zeros(coordinates), precision("SGLD-F"), lr=lr, steps=120, seed=3, record_every=20
    )[2:]
    per_chain = (states.double() ** 2).mean(dim=0)
    error = per_chain.std() / coordinates**0.5
    assert abs(per_chain.mean() - expected) < 5 * error


@pytest.fixture(params=["one pass", "composition"])
def faulty(request, monkeypatch):
    """A function that changes the arguments of a step, in the fused form or in the composed one."""
    from samplers import steps

    fused, exact_step = request.param == "one pass", steps.nf.langevin_step
    diffuse, draw = steps.diffuse, steps.nf.variance_corrected

    def plant(louder=1.0, top_up=True):
        def changed(theta, grad, *, variance, accumulator, **how):
            if accumulator == "variance_corrected" and not top_up:
                accumulator, variance = "low", 0.0
            return exact_step(
                theta, grad, variance=louder * variance, accumulator=accumulator, **how
            )

        def drawn(mean, variance, fmt, *, key, return_counts):
            if top_up:
                return draw(mean, variance, fmt, key=key, return_counts=return_counts)
            return nf.quantize(mean, fmt, "stochastic", key=key), nf.DrawCounts(mean.numel(), 0, 0)

        monkeypatch.setattr(steps, "fusible", lambda theta, precision: fused)
        monkeypatch.setattr(steps.nf, "langevin_step", changed)
        monkeypatch.setattr(steps, "diffuse", lambda m, v, key: diffuse(m, louder * v, key))
        monkeypatch.setattr(steps.nf, "variance_corrected", drawn)

    return plant


@pytest.mark.parametrize("kind", LOW)
def test_both_forms_of_a_step_follow_the_exact_chain(faulty, kind):
    faulty()
    assert abs(z_score(kind, 2e-3, precision(kind))) < 5


def test_noise_that_is_too_large_is_rejected(faulty):
    """Negative control: noise times √2, the most common mistake."""
    faulty(louder=2.0)
    assert abs(z_score("SGLD-L", 2e-3, precision("SGLD-L"))) > 5
    assert transition_p_value("SGLD-L", 2e-3, precision("SGLD-L")) < 1e-6


@pytest.mark.parametrize("lr", [2e-3, 1e-3])
def test_dropping_the_variance_top_up_is_rejected(faulty, lr):
    """Negative control: stochastic rounding of the mean instead of the variance-corrected draw."""
    faulty(top_up=False)
    assert abs(z_score("VC SGLD-L", lr, precision("VC SGLD-L"))) > 5
    assert transition_p_value("VC SGLD-L", lr, precision("VC SGLD-L")) < 1e-6


def test_nearest_rounding_is_rejected():
    """Negative control: nearest instead of stochastic rounding of the weights."""
    used = precision("SGLD-L", "nearest_even")
    assert abs(z_score("SGLD-L", 2e-3, used)) > 5
    assert transition_p_value("SGLD-L", 2e-3, used) < 1e-6
