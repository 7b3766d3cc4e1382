"""One corrected step of SGHMC against the exact joint law of position and velocity on their grids.

False alarms: a χ² tail of 1e-6. Seeds are fixed.
"""

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import numformats as nf
from samplers import Precision
from samplers.sghmc_steps import exponential
from samplers.underdamped import Dynamics
from tests.samplers import linear
from tests.samplers import toy_oracle as oracle

pytestmark = pytest.mark.law

CHAINS = 40_000
CONSTANTS = (0.09, 3.0, 2.0)
PRECISION = Precision(nf.FixedPoint(8, 3), None, "variance_corrected")
STARTS = [(0.5, 0.3, 0.4), (0.0, 0.0, 0.0), (-1.0, 2.0, -0.7), (2.125, -1.3, 1.9)]  # θ, v, g


def index(values, gap):
    return np.rint(values.double().numpy() / gap).astype(int) + 128


def joint_law(mean_x, mean_v, noise, scale):
    """P(θ', v'), (256, 256): the corrected draw of θ', then that of v' given it."""
    position = mean_x / oracle.D - np.floor(mean_x / oracle.D)
    actual = max(noise[0, 0], oracle.D**2 * position * (1 - position))
    slope = noise[0, 1] / actual
    left = (noise[1, 1] - slope * noise[0, 1]) / scale**2
    means = (mean_v + slope * (oracle.STATES - mean_x)) / scale
    share = oracle.variance_corrected(np.array([mean_x]), noise[0, 0])[0]
    law = np.zeros((256, 256))
    reached = share > 0
    law[reached] = oracle.variance_corrected(means[reached], left)
    return law * share[:, None]


def p_value(sign=1):
    """χ² over all cells with at least 10 expected draws; ``sign`` -1 is the papers'."""
    r = linear.exponential(*CONSTANTS, 1.0)
    statistic, degrees = 0.0, 0
    for number, (x, v, g) in enumerate(STARTS):
        ones = torch.ones(CHAINS)
        d = Dynamics(*CONSTANTS, 1.0)
        draw = exponential(x * ones, v * ones, g * ones, d, PRECISION, nf.Key(8, number))
        scale = draw.carried["velocity_scale"]
        mean_x, mean_v = r.move @ [x, v] - r.kick * [sign, 1] * g
        expected = CHAINS * joint_law(mean_x, mean_v, r.noise, scale)
        cells = index(draw.stored, oracle.D), index(draw.carried["velocity"], oracle.D * scale)
        counts = np.zeros((256, 256))
        np.add.at(counts, cells, 1)
        likely = expected >= 10
        statistic += np.sum((counts - expected)[likely] ** 2 / expected[likely])
        degrees += likely.sum()
    assert degrees > 100
    return chi2.sf(statistic, degrees)


def test_a_corrected_step_has_the_exact_joint_law():
    assert p_value() > 1e-6


def test_the_papers_sign_is_rejected():
    """Negative control."""
    assert p_value(sign=-1) < 1e-6
