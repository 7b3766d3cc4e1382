"""SGLD on float grids against the exact finite-state chain: rows of the transition matrix,
the stationary distribution, its variance.

False alarms: a χ² tail of 1e-6 or 5 standard errors (6e-7) a comparison; 27 of them, below 3e-5
together. Seeds are fixed.
"""

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import numformats as nf
from samplers import SGLD, Precision
from tests.samplers import float_oracle as oracle

pytestmark = pytest.mark.law

LR = 1 / 16
GRADIENT = oracle.FloatGrid(1, 0, 6.0)
GRIDS = {
    "e3m2": oracle.FloatGrid(2, -2, 28.0),
    "e2m3": oracle.FloatGrid(3, 0, 7.5),
    "e4m3": oracle.FloatGrid(3, -6, 448.0),
}
CASES = [(name, law) for name in GRIDS for law in oracle.LAWS]


def precision(name, law):
    if law == "nearest":
        return Precision(name, None, "low", "nearest_even")
    return Precision(name, "e2m1", law)


def exact(name, law):
    """The grid, and of its gradients, as the oracle takes them."""
    return GRIDS[name], None if law == "nearest" else GRADIENT, law, LR


def chains(start, used, steps, seed=5):
    weight = torch.nn.Parameter(torch.from_numpy(start.astype(np.float32)))
    optimizer = SGLD([weight], LR, num_data=1, precision=used, seed=seed)
    for _ in range(steps):
        weight.grad = weight.detach().clone()
        optimizer.step()
    return weight.detach().double().numpy()


def chi_square(values, grid, expected):
    """χ² of occupied states, unlikely ones together, and its degrees of freedom."""
    counts = np.bincount(np.searchsorted(grid.states, values), minlength=len(grid.states))
    likely = expected >= 10
    rest = expected[~likely].sum()
    statistic = (counts[~likely].sum() - rest) ** 2 / max(rest, 1)
    statistic += np.sum((counts[likely] - expected[likely]) ** 2 / expected[likely])
    return statistic, likely.sum()


def rows_p_value(name, law, used, count=4000):
    """One step from each of 20 states between -4 and 4."""
    grid, matrix = GRIDS[name], oracle.transition(*exact(name, law))
    inside = np.flatnonzero(np.abs(grid.states) <= 4)
    chosen = inside[np.linspace(0, len(inside) - 1, 20).astype(int)]
    after = chains(np.repeat(grid.states[chosen], count), used, 1).reshape(20, count)
    found = [chi_square(x, grid, count * matrix[i]) for x, i in zip(after, chosen, strict=True)]
    return chi2.sf(*np.sum(found, axis=0))


def stationary_scores(name, law, used, count=20_000, steps=120):
    """Independent chains from the stationary law, after ``steps``: the p-value of χ², and their
    mean square in standard errors from the exact one."""
    grid, pi = GRIDS[name], oracle.stationary(*exact(name, law))
    start = np.random.default_rng(1).choice(grid.states, count, p=pi)
    values = chains(start, used, steps)
    square = values**2
    z = (square.mean() - pi @ grid.states**2) / (square.std() / count**0.5)
    return chi2.sf(*chi_square(values, grid, count * pi)), z


@pytest.mark.parametrize("name", GRIDS)
def test_the_oracles_grid_is_the_formats(name):
    wanted = np.unique(np.asarray(nf.values(name), np.float64))
    assert np.array_equal(GRIDS[name].states, wanted[np.isfinite(wanted)])


@pytest.mark.parametrize("law", ["low", "variance_corrected"])
@pytest.mark.parametrize("name", GRIDS)
def test_the_oracles_draws_keep_their_mean(name, law):
    """Exactly, and the corrected ones their variance where rounding alone has less."""
    grid = GRIDS[name]
    for mean in (0.0, 0.03, -0.7, 1.99, 2.3):
        masses = oracle.LAWS[law](grid, mean, np.sqrt(2 * LR))
        assert masses @ grid.states == pytest.approx(mean, abs=1e-9)
        if law == "variance_corrected" and abs(mean) < 2:
            variance = masses @ (grid.states - mean) ** 2
            assert variance == pytest.approx(2 * LR, rel=1e-9)


@pytest.mark.parametrize("name, law", CASES)
def test_one_step_follows_the_exact_transition_matrix(name, law):
    assert rows_p_value(name, law, precision(name, law)) > 1e-6


@pytest.mark.parametrize("name, law", CASES)
def test_the_stationary_law_is_the_exact_chains(name, law):
    p_value, z = stationary_scores(name, law, precision(name, law))
    assert p_value > 1e-6
    assert abs(z) < 5


@pytest.mark.parametrize(
    "law, used",
    [
        ("low", Precision("e3m2", "e2m1", "variance_corrected")),
        ("variance_corrected", Precision("e3m2", "e2m1", "low")),
        ("low", Precision("e3m2", None, "low", "nearest_even")),
        ("variance_corrected", Precision("e3m2", "fixed<3,1>", "variance_corrected")),
    ],
    ids=["corrected", "naive", "nearest", "gradients cut off"],
)
def test_another_law_is_rejected(law, used):
    """Negative control: another accumulator, another rounding, another range of gradients."""
    assert rows_p_value("e3m2", law, used) < 1e-6
