"""The two-mode study: moments and distances against the mixture's own, and its judgement."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from samplers.reproductions import mixture
from samplers.reproductions.mixture import Settings, distribution, gradient, judge


@pytest.fixture(scope="module")
def outcome(tmp_path_factory):
    return mixture.run(Settings(chains=1000, steps=400), tmp_path_factory.mktemp("out"))


def exact_draws(scale=1.0):
    rng = np.random.default_rng(0)
    x = rng.choice([-1, 1], (4, 50_000)) + 0.5 * rng.standard_normal((4, 50_000))
    return torch.from_numpy(scale * x)


def test_gradient_and_distribution_belong_to_the_mixture():
    x = np.linspace(-3, 3, 13)
    assert distribution(x) == pytest.approx((norm.cdf(x, -1, 0.5) + norm.cdf(x, 1, 0.5)) / 2)
    density = (norm.pdf(x, -1, 0.5) + norm.pdf(x, 1, 0.5)) / 2
    slope = (norm.pdf(x, -1, 0.5) * (x + 1) + norm.pdf(x, 1, 0.5) * (x - 1)) / 0.25 / 2
    assert gradient(torch.from_numpy(x)).numpy() == pytest.approx(slope / density)


def test_exact_draws_are_judged_right_and_wide_ones_far():
    """50 000 draws: distances of order 0.002; 3 % more width moves the quantiles by about 0.03."""
    exact, wide = judge(exact_draws()), judge(exact_draws(1.03))
    assert abs(exact.second[0] - mixture.SECOND) < 5 * exact.second[1]
    assert abs(exact.fourth[0] - mixture.FOURTH) < 5 * exact.fourth[1]
    assert exact.distance < 0.01
    assert wide.distance == pytest.approx(0.03, abs=0.008)


def test_a_state_at_0_is_half_on_either_side():
    assert judge(torch.tensor([[0.0, 0.0], [1.0, -1.0]])).right == 0.5


def test_every_arithmetic_stands_below_the_target(outcome):
    assert [row[0] for row in outcome.rows] == ["target", *mixture.ARITHMETICS]
    for row in outcome.rows[1:]:
        assert row[-1] < 0.1, row
        assert abs(row[-2] - 0.5) < 0.06, row


def test_full_and_corrected_agree_with_float32(outcome):
    """5 standard errors, and as many of chance for moments: below 1e-5."""
    held = {claim.text: claim.held for claim in outcome.claims}
    assert held["SGHMC with a full accumulator draws the mixture as float32 does"]
    assert held["SGHMC with a variance_corrected accumulator draws the mixture as float32 does"]


def test_a_coarse_naive_grid_is_told_apart(monkeypatch, tmp_path):
    """Negative control: with 2 fractional bits the naive law is far off, and is said to be."""
    coarse = mixture.Precision("fixed<8,2>", "fixed<8,2>", "low")
    monkeypatch.setitem(mixture.ARITHMETICS, "low", coarse)
    outcome = mixture.run(Settings(chains=1000, steps=400), tmp_path)
    held = {claim.text: claim.held for claim in outcome.claims}
    assert held["a low accumulator changes the law, by 5 standard errors of a moment"]
