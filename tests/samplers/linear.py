"""Samplers on quadratic energies as linear recursions, and their exact stationary laws.

One coordinate is a state z = (θ) or (θ, v) with z' = M·z - k·ĝ + noise of covariance Q; everything
here is written from the papers' formulas (the exponential step through a matrix exponential), not
from the code under test.
"""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import expm


@dataclass(frozen=True)
class Recursion:
    """``move`` M, ``kick`` k and ``noise`` Q of one coordinate."""

    move: np.ndarray
    kick: np.ndarray
    noise: np.ndarray


def langevin(lr, heat):
    return Recursion(np.eye(1), np.array([lr]), np.array([[2 * lr * heat]]))


def exponential(lr, friction, inverse_mass, heat):
    """The linear equation dz = F·z - (0, u)·g + noise solved over a time ``lr`` (Van Loan 1978)."""
    flow = np.array([[0.0, 1.0], [0.0, -friction]])
    diffusion = np.diag([0.0, 2 * friction * inverse_mass * heat])
    pair = expm(np.block([[-flow, diffusion], [np.zeros((2, 2)), flow.T]]) * lr)
    move = pair[2:, 2:].T
    forced = np.zeros((3, 3))
    forced[:2, :2], forced[1, 2] = flow, inverse_mass
    return Recursion(move, expm(forced * lr)[:2, 2], move @ pair[:2, 2:])


def symplectic_euler(lr, friction, inverse_mass, heat):
    beta, noise = 1 - friction * lr, 2 * friction * inverse_mass * lr * heat
    return Recursion(
        np.array([[1, lr * beta], [0, beta]]),
        np.array([lr**2, lr]) * inverse_mass,
        noise * np.array([[lr**2, lr], [lr, 1]]),
    )


def baoab(lr, friction, inverse_mass, heat):
    e = np.exp(-friction * lr)
    noise = inverse_mass * heat * (1 - e**2)
    return Recursion(
        np.array([[1, lr / 2 * (1 + e)], [0, e]]),
        np.array([lr**2 / 2 * (1 + e), lr * e]) * inverse_mass,
        noise * np.array([[lr**2 / 4, lr / 2], [lr / 2, 1]]),
    )


def forward_euler(step, friction, heat):
    """θ' = θ + h·m, m' = (1 - hα)·m - h·ĝ + √(2αhT)·ξ: of other libraries."""
    return Recursion(
        np.array([[1, step], [0, 1 - step * friction]]),
        np.array([0, step]),
        np.diag([0, 2 * friction * step * heat]),
    )


def stationary(r, curvature=1.0, sigma=0.0, rounding=()):
    """Covariance of z on U = curvature·θ²/2 with gradient noise N(0, sigma²).

    ``rounding`` are variances that each step adds to the components of z.
    """
    matrix = r.move - curvature * np.outer(r.kick, np.eye(len(r.kick))[0])
    if np.abs(np.linalg.eigvals(matrix)).max() >= 1:
        return np.full_like(r.noise, np.inf)
    noise = r.noise + sigma**2 * np.outer(r.kick, r.kick)
    noise = noise + np.diag(rounding if len(rounding) else np.zeros(len(r.kick)))
    return _fixed_point(np.kron(matrix, matrix), noise)


def minibatch(r, average, second, forces):
    """Covariance of z for gradients a_b·θ - r_b, with means ``average`` and 0 and covariances
    ``second`` (of vec a, as E a⊗a - ā⊗ā) and ``forces``; vectors of coordinates are outermost in
    (component, coordinate) order.
    """
    dim, parts = len(average), len(r.kick)
    move, kick = np.kron(r.move, np.eye(dim)), np.kron(r.kick[:, None], np.eye(dim))
    seen = np.kron(np.eye(parts)[:1], np.eye(dim))
    matrix = move - kick @ average @ seen
    spread = np.kron(kick, kick) @ second @ np.kron(seen, seen)
    noise = np.kron(r.noise, np.eye(dim)) + kick @ forces @ kick.T
    return _fixed_point(np.kron(matrix, matrix) + spread, noise)


def _fixed_point(operator, noise):
    solved = np.linalg.solve(np.eye(len(operator)) - operator, noise.ravel())
    return solved.reshape(noise.shape)
