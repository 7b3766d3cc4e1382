"""Geweke's joint test: alternating data given parameters with a sampler's transitions given
data keeps the joint law of both, if the transitions keep the posterior.

False alarms: 5 standard errors (6e-7) for each of 6 moments; below 4e-6 for the file. Seeds are
fixed.

Reference: Geweke, Journal of the American Statistical Association, 2004.
"""

import numpy as np
import pytest
import torch

import numformats as nf
from tests.samplers import linear
from tests.samplers.algorithms import ALGORITHMS

pytestmark = pytest.mark.law

REPLICATES, SWEEPS, STEPS = 50_000, 12, 3
STEP, FRICTION, MASS = 0.7, 1.5, 0.9  # of "SGHMC, BAOAB"


def normals(seed):
    return torch.from_numpy(nf.random.normal((REPLICATES,), nf.Key(17, seed)))


def given_position(theta, y, seed):
    """BAOAB's velocity at the position θ of its stationary law on the posterior N(y/2, 1/2)."""
    law = linear.stationary(linear.baoab(STEP, FRICTION, MASS, 1.0), 2.0)
    assert law[0, 0] == pytest.approx(0.5, rel=1e-12)
    slope = law[1, 0] / law[0, 0]
    left = law[1, 1] - slope * law[1, 0]
    return slope * (theta - y / 2) + left**0.5 * normals(seed)


def scores(build):
    """Moments of (θ, y) after all sweeps from the joint law θ ~ N(0, 1), y ~ N(θ, 1), in standard
    errors from that law's; each coordinate is a replicate. ``build`` makes the sampler of a sweep.
    """
    weight = torch.nn.Parameter(normals(0).clone())
    for sweep in range(1, SWEEPS + 1):
        y = weight.detach() + normals(2 * sweep)
        optimizer = build([weight], seed=sweep)
        if "velocity" in optimizer.state[weight]:
            optimizer.state[weight]["velocity"] = given_position(weight.detach(), y, 2 * sweep + 1)
        for _ in range(STEPS):
            weight.grad = weight.detach() - y
            optimizer.step()
    theta = weight.detach().double().numpy()
    y = theta + normals(2 * SWEEPS + 2).double().numpy()
    moments = {0: (theta, y, theta**3), 1: (theta**2, theta * y), 2: (y**2,)}
    found = [(x, value) for value, several in moments.items() for x in several]
    return np.array([(x.mean() - v) / (x.std() / REPLICATES**0.5) for x, v in found])


def sampler(name, **changes):
    options = {"num_data": 1, "weight_decay": 1.0} | changes
    return lambda params, seed: ALGORITHMS[name].build(params, seed=seed, **options)


def test_baoab_keeps_the_joint_law():
    assert np.abs(scores(sampler("SGHMC, BAOAB"))).max() < 5


def test_sgld_of_a_small_step_nearly_does():
    """αλ = 0.004: a bias of 0.2 % of the variance, half a standard error."""

    def build(params, seed):
        return ALGORITHMS["SGLD"].build(params, lr=0.002, seed=seed, num_data=1, weight_decay=1.0)

    assert np.abs(scores(build)).max() < 5


FAULTS = {
    "step size of SGLD": sampler("SGLD"),
    "prior of half the precision": sampler("SGHMC, BAOAB", weight_decay=0.5),
    "temperature": sampler("SGHMC, BAOAB", temperature=1.1),
    "data counted twice": sampler("SGHMC, BAOAB", num_data=2),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_does_not_keep_the_posterior_is_rejected(fault):
    """Negative controls."""
    assert np.abs(scores(FAULTS[fault])).max() > 5
