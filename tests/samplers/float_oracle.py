"""Low-precision SGLD on U = θ²/2 over a float grid, as an exact finite-state Markov chain.

Written from docs/decisions/0005 and integrals of the normal distribution alone. One step rounds the
gradient θ stochastically to another grid, then draws the next state given θ - lr·g.
"""

import functools

import numpy as np
from scipy.stats import norm

REACH = 6.34  # of the generator's normals


class FloatGrid:
    """A float format with subnormals by its fields: ``states`` are its values; gaps go on
    beyond the largest."""

    def __init__(self, man_bits, emin, largest):
        self.man_bits, self.emin, self.largest = man_bits, emin, largest
        up, found = 0.0, []
        while up <= largest:
            found.append(up)
            up += self.gap(up)
        self.states = np.array([-x for x in found[:0:-1]] + found)

    def gap(self, magnitude):
        """The step from the value at or below ``magnitude`` to the next."""
        exponent = np.floor(np.log2(magnitude)) if magnitude > 0 else self.emin
        return 2.0 ** (max(exponent, self.emin) - self.man_bits)

    def gap_below(self, value):
        return self.gap(np.nextafter(value, 0.0))


def rounded(grid, mean, std):
    """Stochastic rounding of N(mean, std²): a state's hat function, integrated by c(a) = E max(x -
    a, 0)."""
    z = (mean - grid.states) / std
    excess = std * (z * norm.cdf(z) + norm.pdf(z))
    slopes = -np.diff(excess) / np.diff(grid.states)  # P that a uniform point of a gap lies below x
    return np.append(1, slopes) - np.append(slopes, 0)


def nearest(grid, mean, std):
    """Nearest rounding of N(mean, std²)."""
    edges = (grid.states[1:] + grid.states[:-1]) / 2
    below = np.concatenate([[0], norm.cdf((edges - mean) / std), [1]])
    return np.diff(below)


def corrected(grid, mean, std):
    """The variance-corrected draw, cut off at the range."""
    far = abs(mean) + REACH * std
    widest = grid.gap(far + grid.gap(far))
    if std**2 > widest**2 / 4:
        return _at(grid, *_wide(mean, np.sqrt(std**2 - widest**2 / 4), widest))
    return _at(grid, *_narrow(grid, mean, std))


def _wide(mean, std, d):
    """A normal in its cell of the lattice ``d``, then a step of mean m and variance d²/4."""
    centre = np.rint(mean / d) * d + d * np.arange(-60, 61)
    low, high = centre - d / 2, centre + d / 2
    parts = []
    for power in range(3):
        parts.append(_moment(high, mean, std, power) - _moment(low, mean, std, power))
    m0 = parts[0]
    m1 = parts[1] - centre * parts[0]
    m2 = parts[2] - 2 * centre * parts[1] + centre**2 * parts[0]
    up, down = ((m2 + sign * d * m1 + d**2 / 4 * m0) / (2 * d**2) for sign in (1, -1))
    points = np.concatenate([centre + d, centre - d, centre])
    return points, np.concatenate([up, down, m0 - up - down])


def _moment(x, mean, std, power):
    """∫ t^power dN(mean, std²) up to x."""
    z = (x - mean) / std
    density, mass = std * norm.pdf(z), norm.cdf(z)
    if power == 0:
        return mass
    if power == 1:
        return mean * mass - density
    return (mean**2 + std**2) * mass - (x + mean) * density


def _narrow(grid, mean, std):
    """Rounding at a gap no smaller than the deviation, then a step that adds what is missing."""
    lattice, a = 2.0 ** np.ceil(np.log2(std)), abs(mean)
    d = max(grid.gap(a), lattice)
    low = np.floor(a / d) * d
    part = (a - low) / d
    rest = max(std**2 - part * (1 - part) * d**2, 0.0)
    points, masses = [], []
    for q, weight in ((low, 1 - part), (low + d, part)):
        above = max(grid.gap(q), lattice)
        below = max(grid.gap_below(q), lattice) if q else above
        up, down = (rest / (side * (above + below)) for side in (above, below))
        points += [q + above, q - below, q]
        masses += [weight * up, weight * down, weight * (1 - up - down)]
    return np.copysign(1.0, mean) * np.array(points), np.array(masses)


def _at(grid, points, masses):
    """Masses of points as masses of states; what has a mass lies on one (beyond the reach of the
    generator's normals there is less than 1e-9)."""
    points = np.clip(points, -grid.largest, grid.largest)
    index = np.searchsorted(grid.states, points)
    heavy = masses > 1e-9
    assert np.array_equal(grid.states[index[heavy]], points[heavy]), "off the grid"
    return np.bincount(index, masses, len(grid.states))


LAWS = {"low": rounded, "variance_corrected": corrected, "nearest": nearest}


def outcomes(theta, gradients):
    """Rounded gradients at θ and their probabilities; exact ones without a grid."""
    if gradients is None:
        return [(theta, 1.0)]
    values = gradients.states
    inside = np.clip(theta, values[0], values[-1])
    low = min(np.searchsorted(values, inside, side="right"), len(values) - 1) - 1
    up = (inside - values[low]) / (values[low + 1] - values[low])
    return [(values[low], 1 - up), (values[low + 1], up)]


def transition(grid, gradients, law, lr):
    """The transition matrix at temperature 1, (states, states)."""
    matrix = np.zeros((len(grid.states),) * 2)
    for row, theta in zip(matrix, grid.states, strict=True):
        for g, share in outcomes(theta, gradients):
            row += share * LAWS[law](grid, theta - lr * g, np.sqrt(2 * lr))
    assert np.allclose(matrix.sum(axis=1), 1, atol=1e-9)
    return np.maximum(matrix, 0)


@functools.cache
def stationary(grid, gradients, law, lr):
    """The stationary distribution over the states."""
    matrix = transition(grid, gradients, law, lr)
    count = len(matrix)
    system = np.vstack([matrix.T - np.eye(count), np.ones(count)])
    solution = np.linalg.lstsq(system, np.append(np.zeros(count), 1), rcond=None)[0]
    return np.maximum(solution, 0) / np.maximum(solution, 0).sum()
