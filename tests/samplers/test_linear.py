"""The recursions against the closed forms of the literature: exact, no simulation."""

import mpmath as mp
import numpy as np
import pytest

from samplers.underdamped import Dynamics, moments
from tests.samplers import linear

pytestmark = pytest.mark.law


@pytest.mark.parametrize(
    "lr, lam, heat, sigma", [(0.5, 2, 0.3, 1.0), (0.1, 1, 1, 0), (0.9, 2, 2, 3)]
)
def test_langevin(lr, lam, heat, sigma):
    expected = (heat + lr * sigma**2 / 2) / (lam * (1 - lr * lam / 2))
    assert linear.stationary(linear.langevin(lr, heat), lam, sigma)[0, 0] == pytest.approx(expected)


@pytest.mark.parametrize(
    "beta, alpha, lam, sigma", [(0.9, 0.1, 1, 1), (0.9, 0.1, 1, 0), (0.3, 0.4, 2, 0.5)]
)
def test_symplectic_euler_is_sgd_with_momentum(beta, alpha, lam, sigma):
    """Var θ, Var v and their covariance, with v = θ' - θ; β=.9, α=.1, σ=1 gives 1.5405."""
    found = linear.stationary(linear.symplectic_euler(1.0, 1 - beta, alpha, 1.0), lam, sigma)
    hot = 1 + alpha * sigma**2 / (2 * (1 - beta))
    var_v = 2 * alpha * hot / ((1 + beta) - alpha * lam / 2)
    assert found[0, 0] == pytest.approx(hot / (lam * (1 - alpha * lam / (2 * (1 + beta)))))
    assert found[1, 1] == pytest.approx(var_v)
    assert found[0, 1] == pytest.approx(var_v / 2)
    kinetic = (1 + beta) * var_v / (2 * alpha)
    assert kinetic == pytest.approx(lam * found[0, 0])


def test_forward_euler_is_unstable_where_symplectic_euler_is_not():
    """Why it is not offered: stable only for hλ < α, and biased by hλ/α."""
    h, alpha, lam = 0.1, 0.5, 1.0
    a = h * alpha
    expected = alpha / (alpha - h * lam) * (2 - a + h**2 * lam) / (2 - a + h**2 * lam / 2)
    assert linear.stationary(linear.forward_euler(h, alpha, 1), lam)[0, 0] == pytest.approx(
        expected
    )
    assert np.isinf(linear.stationary(linear.forward_euler(h, 0.09, 1), lam)).all()
    assert linear.stationary(linear.symplectic_euler(h, 0.09, 1, 1), lam)[0, 0] < 1.01


@pytest.mark.parametrize("step", [0.5, 1.0, 1.9])
def test_baoab_is_exact(step):
    assert linear.stationary(linear.baoab(step, 0.7, 1.0, 0.3), 1.0)[0, 0] == pytest.approx(0.3)


def test_sign_of_the_gradient_in_the_position():
    """Minus gives the standard deviation 1.015, the papers' plus 1.200."""
    right = linear.exponential(0.09, 3.0, 2.0, 1.0)
    wrong = linear.Recursion(right.move, right.kick * [-1, 1], right.noise)
    assert linear.stationary(right)[0, 0] ** 0.5 == pytest.approx(1.015, abs=1e-3)
    assert linear.stationary(wrong)[0, 0] ** 0.5 == pytest.approx(1.200, abs=1e-3)


@pytest.mark.parametrize("lr", [1e-9, 1e-4, 0.01, 0.3, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("friction, inverse_mass", [(3.0, 2.0), (0.2, 1.0)])
def test_moments_of_the_exponential_step(lr, friction, inverse_mass):
    """The closed forms in 50 digits, of which cancellation leaves 13."""
    with mp.workdps(50):
        g, u, h = mp.mpf(friction), mp.mpf(inverse_mass), mp.mpf(lr)
        e = mp.exp(-g * h)
        expected = {
            "decay": e,
            "drift": (1 - e) / g,
            "kick_v": u * (1 - e) / g,
            "kick_x": u * (g * h + e - 1) / g**2,
            "var_v": u * (1 - e**2),
            "var_x": u * (2 * g * h + 4 * e - e**2 - 3) / g**2,
            "cov": u * (1 - e) ** 2 / g,
        }
        found = moments(Dynamics(lr, friction, inverse_mass, 1.0))
        for name, value in expected.items():
            assert getattr(found, name) == pytest.approx(float(value), rel=1e-13), name


@pytest.mark.parametrize("lr", [0.05, 0.3, 2.0])
def test_the_closed_forms_solve_the_equation(lr):
    """Against a matrix exponential of the linear equation."""
    m, r = moments(Dynamics(lr, 1.3, 0.6, 0.4)), linear.exponential(lr, 1.3, 0.6, 0.4)
    np.testing.assert_allclose(r.move, [[1, m.drift], [0, m.decay]], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(r.kick, [m.kick_x, m.kick_v], rtol=1e-12)
    np.testing.assert_allclose(r.noise, [[m.var_x, m.cov], [m.cov, m.var_v]], rtol=1e-11)
