"""Exact binomial tests, and z-scores of means and variances."""

from __future__ import annotations

import numpy as np
import pytest

FALSE_ALARM = 1e-9  #: for one test file, shared out over its tests
LIMIT_Z = 5.0  #: two-sided false alarm 6e-7 a comparison


def binomial_p(successes: int, n: int, p: float) -> float:
    """Two-sided p-value of ``successes`` out of ``n`` when each has probability ``p``."""
    stats = pytest.importorskip("scipy.stats", reason="scipy is missing; install the extra test")
    low = stats.binom.cdf(successes, n, p)
    high = stats.binom.sf(successes - 1, n, p)
    return float(min(1.0, 2 * min(low, high)))


def mean_z(draws: np.ndarray, mean: float, variance: float) -> float:
    """Distance of the sample mean from ``mean`` in standard errors."""
    gap = draws.mean() - mean
    return float(gap / np.sqrt(variance / draws.size))


def variance_z(draws: np.ndarray, mean: float, variance: float) -> float:
    """Distance of the mean square about ``mean`` from ``variance`` in its own standard errors."""
    squares = (draws - mean) ** 2
    error = squares.std() / np.sqrt(draws.size)
    gap = squares.mean() - variance
    if error > 1e-9 * variance:
        return float(gap / error)
    return np.inf if abs(gap) > 1e-6 * variance else 0.0  # all draws equally far from the mean
