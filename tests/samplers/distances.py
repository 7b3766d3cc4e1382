"""Distances between distributions, from their definitions."""

import numpy as np
from scipy.linalg import sqrtm
from scipy.stats import chi2, norm


def w2_gaussians(mean, covariance, other_mean, other_covariance):
    """|m1 - m2|² + tr(Σ1 + Σ2 - 2(Σ1^½ Σ2 Σ1^½)^½), and its root."""
    root = sqrtm(covariance)
    cross = sqrtm(root @ other_covariance @ root).real
    spread = np.trace(covariance + other_covariance - 2 * cross)
    return float(np.sqrt(max(np.sum((mean - other_mean) ** 2) + spread, 0.0)))


def w2_to_normal(values, std):
    """W2 between the empirical law of ``values`` and N(0, std²): sorted values against the means of
    the normal's slices of equal mass, and what the slices have of variance."""
    edges = norm.ppf(np.arange(len(values) + 1) / len(values))
    density = norm.pdf(edges)
    means = (density[:-1] - density[1:]) * len(values)
    within = 1 - np.mean(means**2)
    return float(np.sqrt(np.mean((np.sort(values) - std * means) ** 2) + std**2 * within))


def stein_matrix(x, score):
    """The Stein kernel of the inverse multiquadric (1 + (x - y)²)^(-1/2), one dimension.

    Reference: Gorham and Mackey, ICML 2017.
    """
    s, gap = score(x), x[:, None] - x[None, :]
    base = 1 + gap**2
    kernel, slope = base**-0.5, -gap * base**-1.5  # k and its derivative in the first argument
    curve = base**-1.5 - 3 * gap**2 * base**-2.5  # in both
    return s[:, None] * s * kernel - s[:, None] * slope + s * slope + curve


def ksd_squared(x, score):
    """The kernelized Stein discrepancy of a sample, squared (V-statistic)."""
    return float(stein_matrix(x, score).mean())


def ksd_p_value(x, score, exact):
    """P(KSD² of exact draws ≥ that of ``x``): under the null n·KSD² is Σ λ·χ²₁ with λ the
    eigenvalues of the kernel's operator, here replaced by a scaled χ² of its mean and variance,
    estimated from other exact draws."""
    matrix = stein_matrix(exact, score)
    mean, variance = np.mean(np.diag(matrix)), 2 * np.mean(matrix**2)
    scale, degrees = variance / (2 * mean), 2 * mean**2 / variance
    return float(chi2.sf(len(x) * ksd_squared(x, score) / scale, degrees))
