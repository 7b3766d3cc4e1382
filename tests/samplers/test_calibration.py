"""Simulation-based calibration, and kinetic and configurational temperatures.

False alarms: a χ² tail of 1e-6, and 5 standard errors (6e-7) a temperature; below 1e-5 for the
file. Seeds are fixed.

Reference: Talts et al., arXiv 1804.06788; Wenzel et al., ICML 2020 (temperatures).
"""

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

import numformats as nf
from tests.samplers import linear
from tests.samplers.algorithms import ALGORITHMS

pytestmark = pytest.mark.law

REPLICATES, KEPT, THINNING, BINS = 4000, 99, 6, 20


def calibration_p_value(name, **changes):
    """Uniformity of the ranks of θ ~ N(0, 1) among draws from its posterior given y ~ N(θ, 1); each
    coordinate is a replicate with data of its own."""
    truth, noise = (torch.from_numpy(nf.random.normal((REPLICATES,), nf.Key(3, i))) for i in (0, 1))
    y = truth + noise
    weight = torch.nn.Parameter(y / 2)
    optimizer = ALGORITHMS[name].build([weight], num_data=1, weight_decay=1.0, seed=7, **changes)
    rank = torch.zeros(REPLICATES)
    for step in range(1, THINNING * (KEPT + 5) + 1):
        weight.grad = weight.detach() - y
        optimizer.step()
        if step > 5 * THINNING and step % THINNING == 0:
            rank += weight.detach() < truth
    counts = np.bincount((rank.numpy() * BINS // (KEPT + 1)).astype(int), minlength=BINS)
    assert counts.sum() == REPLICATES
    return chisquare(counts).pvalue


def test_ranks_are_uniform():
    """For BAOAB, whose positions have exactly the posterior."""
    assert calibration_p_value("SGHMC, BAOAB") > 1e-6


@pytest.mark.parametrize("name, changes", [("SGLD", {}), ("SGHMC, BAOAB", {"temperature": 1.25})])
def test_biased_samplers_are_rejected(name, changes):
    """Negative controls: SGLD's step size, whose variance is 25 % too large here, and a wrong
    temperature."""
    assert calibration_p_value(name, **changes) < 1e-6


@pytest.mark.parametrize("name", ALGORITHMS)
def test_temperatures_are_those_of_the_recursion(name):
    """Configurational θ·∇U/d and kinetic v²/(u·d): T up to the step's known error."""
    coordinates, curvature, heat = 50_000, 2.0, 0.25
    weight = torch.nn.Parameter(torch.zeros(coordinates))
    optimizer = ALGORITHMS[name].build([weight], num_data=4)
    for _ in range(80):
        weight.grad = curvature * weight.detach()
        optimizer.step()
    law = linear.stationary(ALGORITHMS[name].recursion(heat), curvature)
    found = [float((curvature * weight.detach().double() ** 2).mean()) / heat]
    expected = [curvature * law[0, 0] / heat]
    if len(law) == 2:
        mass = 1 / optimizer.param_groups[0]["inverse_mass"]
        velocity = optimizer.state[weight]["velocity"].double()
        found.append(float((mass * velocity**2).mean()) / heat)
        expected.append(mass * law[1, 1] / heat)
    for value, wanted in zip(found, expected, strict=True):
        assert abs(value / wanted - 1) < 5 * (2 / coordinates) ** 0.5
