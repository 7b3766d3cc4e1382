"""The Gaussian toy's chains as exact finite-state Markov chains, from closed forms of normal
integrals alone.

The grid is 8-bit fixed point with 3 fractional bits, so a low-precision chain has 256 states. One
step draws a gradient g from stochastic rounding of N(θ, σ²), then the next state from its law given
the mean θ - αg.
"""

import functools

import numpy as np
from scipy.stats import norm

D = 1 / 8
STATES = np.arange(-128, 128) * D
SIGMA = 0.1


def rounded_normal(mean, std):
    """P(k·D) of stochastic rounding of N(mean, std²), shape (means, states); c(a) is E max(mean +
    std·ξ - a, 0)."""

    def excess(a):
        z = (mean[:, None] - a) / std
        return std * (z * norm.cdf(z) + norm.pdf(z))

    return clipped(lambda a: (excess(a - D) - 2 * excess(a) + excess(a + D)) / D)


def variance_corrected(mean, variance):
    """P(k·D) of the variance-corrected quantizer."""
    if variance > D**2 / 4:
        return wide(mean, np.sqrt(variance - D**2 / 4))
    low = np.floor(mean / D) * D
    up = (mean - low) / D
    rest = np.maximum(variance - up * (1 - up) * D**2, 0) / (2 * D**2)
    table = np.zeros((len(mean), len(STATES)))
    index = np.rint(low / D).astype(int) + 128
    rows = np.arange(len(mean))
    for weight, base in ((1 - up, index), (up, index + 1)):
        for shift, share in ((-1, rest), (0, 1 - 2 * rest), (1, rest)):
            np.add.at(table, (rows, np.clip(base + shift, 0, 255)), weight * share)
    return table


def wide(mean, std):
    """The law for variances above D²/4: each cell of nearest rounding sends mass to itself and its
    two neighbours.

    Given x in the cell of n, m = x - n: up (m + D/2)²/2D², down (m - D/2)²/2D², stay 3/4 - m²/D².
    """
    grid = np.arange(-140, 141) * D
    centre = mean[:, None] - grid
    low, high = (-D / 2 - centre) / std, (D / 2 - centre) / std
    m0 = norm.cdf(high) - norm.cdf(low)
    m1 = centre * m0 - std * (norm.pdf(high) - norm.pdf(low))
    edges = (D / 2 + centre) * norm.pdf(high) - (-D / 2 + centre) * norm.pdf(low)
    m2 = (centre**2 + std**2) * m0 - std * edges
    up, down = ((m2 + sign * D * m1 + D**2 / 4 * m0) / (2 * D**2) for sign in (1, -1))
    mass = 0.75 * m0 - m2 / D**2
    mass[:, 1:] += up[:, :-1]
    mass[:, :-1] += down[:, 1:]
    return fold_ends(mass, grid)


def clipped(mass):
    """``mass(a)`` over a grid wider than the states, with what lies beyond moved to the end
    states."""
    grid = np.arange(-140, 141) * D
    return fold_ends(mass(grid), grid)


def fold_ends(mass, grid):
    inside = (grid >= STATES[0]) & (grid <= STATES[-1])
    table = mass[:, inside].copy()
    table[:, 0] += mass[:, grid < STATES[0]].sum(axis=1)
    table[:, -1] += mass[:, grid > STATES[-1]].sum(axis=1)
    return np.maximum(table, 0)


@functools.cache
def transition(kind, lr):
    """The transition matrix of ``SGLD-L`` or ``VC SGLD-L`` at temperature 1, (256, 256)."""
    gradient = rounded_normal(STATES, SIGMA)
    matrix = np.zeros((256, 256))
    for shift in range(-8, 9):  # |Q(g) - θ| beyond 8 D has probability below 1e-20
        column = np.arange(256) + shift
        inside = (column >= 0) & (column < 256)
        weight = np.where(inside, gradient[np.arange(256), np.clip(column, 0, 255)], 0)
        mean = STATES - lr * (STATES + shift * D)
        row = (
            rounded_normal(mean, np.sqrt(2 * lr))
            if kind == "SGLD-L"
            else variance_corrected(mean, 2 * lr)
        )
        matrix += weight[:, None] * row
    return matrix / matrix.sum(axis=1, keepdims=True)


@functools.cache
def stationary(kind, lr):
    """The stationary distribution over `STATES`."""
    matrix = transition(kind, lr)
    system = np.vstack([matrix.T - np.eye(256), np.ones(256)])
    solution = np.linalg.lstsq(system, np.append(np.zeros(256), 1), rcond=None)[0]
    return np.maximum(solution, 0) / np.maximum(solution, 0).sum()


def stationary_variance(kind, lr):
    pi = stationary(kind, lr)
    mean = pi @ STATES
    return float(pi @ (STATES - mean) ** 2)
