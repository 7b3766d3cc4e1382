"""Diagnostics against closed forms: AR(1), the virial theorem, χ² laws."""

import math
import sys

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from samplers import SGLD, SampleStore, diagnostics

pytestmark = pytest.mark.law

RHO = 0.9


def ar1(chains, draws, seed):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((chains, draws))
    noise[:, 0] /= math.sqrt(1 - RHO**2)
    return lfilter([1], [1, -RHO], noise, axis=1)


def test_ess_of_an_autoregression():
    """8000 draws with autocorrelation 0.9^k are worth 8000·(1-ρ)/(1+ρ) = 421. The mean of 20
    replicates scatters by about 2 %; 25 % leave room for the estimator's bias at a false-alarm rate
    below 1e-6. Independent draws, the control, are worth all 8000."""
    values = np.stack([ar1(4, 2000, seed) for seed in range(20)], axis=-1)
    theory = 8000 * (1 - RHO) / (1 + RHO)
    found = diagnostics.ess(values)
    assert found.shape == (20,)
    assert found.mean() == pytest.approx(theory, rel=0.25)
    independent = np.random.default_rng(0).standard_normal((4, 2000, 20))
    assert diagnostics.ess(independent).mean() == pytest.approx(8000, rel=0.1)


@pytest.mark.parametrize("method", ["rank", "split"])
def test_rhat_finds_chains_that_disagree(method):
    """Means two standard deviations apart: √(1 + 4/3·...) is far above 1.5."""
    values = np.random.default_rng(1).standard_normal((4, 500, 3))
    assert np.all(diagnostics.rhat(values, method) < 1.02)
    shifted = values + 2 * np.arange(4)[:, None, None]
    assert np.all(diagnostics.rhat(shifted, method) > 1.5)
    drifting = values + np.linspace(-4, 4, 500)[:, None]  # alike chains, halves that differ
    assert np.all(diagnostics.rhat(drifting, method) > 1.5)


def test_split_rhat_by_its_formula():
    """√(((n-1)/n·W + B/n)/W) over the 2·4 halves, W the mean variance, B/n that of the means."""
    values = ar1(4, 300, seed=3)
    halves = values.reshape(8, 150)
    within = halves.var(axis=1, ddof=1).mean()
    between = halves.mean(axis=1).var(ddof=1)
    expected = math.sqrt((149 / 150 * within + between) / within)
    assert float(diagnostics.rhat(values, "split")) == pytest.approx(expected, rel=1e-9)


def test_the_order_of_chains_does_not_matter_and_nan_stays_nan():
    values = np.stack([ar1(4, 200, seed) for seed in range(3)], axis=-1)
    for diagnose in (diagnostics.ess, diagnostics.rhat):
        np.testing.assert_allclose(diagnose(values[[2, 0, 3, 1]]), diagnose(values), rtol=1e-12)
        broken = values.copy()
        broken[1, 7, 2] = math.nan
        broken[:, :, 1] = 4.0
        found = diagnose(broken)
        assert math.isnan(found[2])
        assert np.isfinite(found[0])
    assert diagnostics.ess(broken)[1] == 800  # a constant
    assert diagnostics.ess(torch.from_numpy(values)).shape == (3,)


@pytest.mark.parametrize("dimension", [20, 2000])
def test_kinetic_temperature_has_its_law(dimension):
    """T·χ²_d/d: at most 10 of 1000 temperatures leave their 99.9 % interval (1 is expected; false
    alarms 1e-8). The control at four times the temperature leaves it in most cases."""
    rng = np.random.default_rng(dimension)
    temperature, mass, data = 0.3, 2.5, 40
    low, high = diagnostics.kinetic_interval(dimension, temperature)

    def misses(factor):
        scale = factor * math.sqrt(mass * temperature / data)
        rows = (scale * rng.standard_normal(dimension) for _ in range(1000))
        found = [diagnostics.kinetic_temperature(row, mass, num_data=data) for row in rows]
        return sum(not low < t < high for t in found)

    assert misses(1) <= 10
    assert misses(2) >= 500


def test_kinetic_interval_of_many_coordinates_is_normal():
    """χ²_d/d is nearly N(1, 2/d) for large d; 3.2905 is the normal quantile of 99.95 %."""
    low, high = diagnostics.kinetic_interval(10**6, 2.0)
    wide = 2 * 3.2905 * math.sqrt(2 / 1e6)
    assert (low, high) == pytest.approx((2 - wide, 2 + wide), abs=1e-4)


def test_configurational_temperature_of_exact_draws():
    """E (θ-c)·∇U = T for U = θ⁴ and any c: |θ|⁴ ~ T·Γ(1/4). 5 standard errors: false alarms 6e-7.
    Draws at twice the temperature are found out."""
    rng = np.random.default_rng(0)
    temperature, n = 0.7, 200_000
    magnitude = (temperature * rng.gamma(0.25, size=n)) ** 0.25
    theta = magnitude * rng.choice([-1.0, 1.0], n)
    gradient = 4 * theta**3
    for center in (0.0, 0.2):
        error = np.std((theta - center) * gradient) / math.sqrt(n)
        found = diagnostics.configurational_temperature(theta, gradient, center)
        assert abs(found - temperature) < 5 * error
        hot = theta * 2**0.25
        control = diagnostics.configurational_temperature(hot, 4 * hot**3, center)
        assert abs(control - temperature) > 5 * error


def test_configurational_temperature_of_sgld():
    """T/(1 - α/2) on a quadratic, as of step size α. 20000 coordinates: 5 standard errors are 5 %,
    false alarms 6e-7; the bias of α = 0.4 alone is 25 %."""
    data, temperature, alpha = 50, 0.7, 0.4
    theta = torch.nn.Parameter(torch.zeros(20_000))
    optimizer = SGLD([theta], alpha, num_data=data, temperature=temperature)
    for _ in range(60):
        theta.grad = theta.detach().clone()
        optimizer.step()
    values = theta.detach()
    found = diagnostics.configurational_temperature([values], [values], num_data=data)
    assert found == pytest.approx(temperature / (1 - alpha / 2), rel=0.05)


def test_configurational_temperature_pairs_mappings_by_name():
    theta = {"a": np.array([1.0, 2.0]), "b": np.array([3.0])}
    slope = {"b": np.array([7.0]), "a": np.array([5.0, 6.0])}
    assert diagnostics.configurational_temperature(theta, slope) == (5 + 12 + 21) / 3
    with pytest.raises(ValueError, match=r"\['a', 'b'\].*\['a', 'c'\]; write the same names"):
        diagnostics.configurational_temperature(theta, {"a": theta["a"], "c": theta["b"]})


@pytest.fixture
def store(tmp_path):
    """Two chains of five; the value tells chain and step."""
    store = SampleStore(tmp_path / "store")
    for chain in (0, 1):
        for step in range(5):
            value = torch.full((2, 3), 10.0 * chain + step)
            store.append({"w": value.bfloat16(), "b": value[0]}, chain=chain, step=step)
    return store


def test_draws_of_a_store_and_arviz(store):
    expected = 10.0 * np.arange(2)[:, None] + np.arange(5)
    found = diagnostics.draws(store)
    shapes = {name: values.shape for name, values in found.items()}
    assert shapes == {"w": (2, 5, 2, 3), "b": (2, 5, 3)}
    np.testing.assert_array_equal(found["w"][..., 1, 2], expected)
    for tree in (diagnostics.to_arviz(store, "w"), diagnostics.to_arviz(found)):
        np.testing.assert_array_equal(tree.posterior["w"].sel(chain=1).values[:, 0, 0], expected[1])
    assert diagnostics.to_arviz(store, "b").posterior["b"].dims[:2] == ("chain", "draw")


@pytest.mark.parametrize("missing", [[2], [0, 1, 2, 3]], ids=len)
def test_a_tensor_that_some_samples_have_not_is_named(tmp_path, missing):
    """Here all chains have as many samples: a mere reshape would mix them."""
    store = SampleStore(tmp_path)
    for chain, draw in np.ndindex(2, 4):
        extra = {} if chain == 1 and draw in missing else {"extra.b": torch.ones(2)}
        store.append({"w": torch.ones(3), **extra}, chain=chain)
    wanted = rf"'extra\.b' stands in {4 - len(missing)} of the 4 samples of chain 1"
    with pytest.raises(ValueError, match=wanted):
        diagnostics.draws(store)
    assert diagnostics.draws(store, "w")["w"].shape == (2, 4, 3)


def test_draws_of_several_shapes_are_named(tmp_path):
    store = SampleStore(tmp_path)
    for draw in range(3):
        store.append({"w": torch.ones(3 + draw // 2)})
    with pytest.raises(ValueError, match=r"'w' has the shapes \[\(3,\), \(4,\)\]"):
        diagnostics.draws(store)


def test_bad_input_is_refused(store, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"\{0: 4, 1: 5\}"):
        diagnostics.draws(store[1:])
    with pytest.raises(ValueError, match=r"\{\} samples"):
        diagnostics.draws(SampleStore(tmp_path / "none"))
    with pytest.raises(ValueError, match=r"'norm\*' fits none"):
        diagnostics.draws(store, "norm*")
    for diagnose in (diagnostics.ess, diagnostics.rhat):
        with pytest.raises(ValueError, match=r"\(4, 3\)"):
            diagnose(np.ones((4, 3)))
    with pytest.raises(ValueError, match="3 positions and 2 gradients"):
        diagnostics.configurational_temperature(np.ones(3), np.ones(2))
    with pytest.raises(ValueError, match="no numbers"):
        diagnostics.kinetic_temperature([])
    with pytest.raises(ValueError, match="level=1"):
        diagnostics.kinetic_interval(3, level=1)
    monkeypatch.setitem(sys.modules, "arviz_stats.base", None)
    with pytest.raises(ImportError, match=r"numformats\[diagnostics\]"):
        diagnostics.ess(np.ones((4, 10)))
