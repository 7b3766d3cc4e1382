"""Stationary variances of low-precision samplers on U = θ²/2 at temperature 1, as closed forms.

Rounding enters as independent noise with the variance that a Gaussian over the grid gives it, so
the forms hold as long as the grid is not far wider than a step (`rounded`).
"""

from __future__ import annotations

import math

import numpy as np


def rounded(std: float, gap: float) -> float:
    """Variance that stochastic rounding to a grid adds to N(0, std²), centred on the grid.

    D²·F(std/D),  F(u) = 1/6 - Σ_k exp(-2π²k²u²)/(π²k²);  D²/6 where std is many gaps.
    """
    k = np.arange(1, 2000)
    terms = np.exp(-2 * (np.pi * k * std / gap) ** 2) / (np.pi * k) ** 2
    return gap**2 * (1 / 6 - float(terms.sum()))


def forced(variance: float, gap: float) -> float:
    """Variance that a corrected draw adds because the grid has no less, its mean anywhere on it.

    Mean over f in [0, 1) of max(0, D²·f(1-f) - variance).
    """
    share = max(0.0, 1 - 4 * variance / gap**2)
    return gap**2 * share * math.sqrt(share) / 6


def sgld_variance(accumulator: str, lr: float, *, gap: float, gradient_noise: float) -> float:
    """Of θ ← Q(θ - α·Q_G(θ + σ·ξ) + √(2α)·ξ), both on a grid of gap D.

        (2α + α²(σ² + σ_q²) + ρ) / (α(2 - α)),   σ_q² the gradient's rounding

    ρ is 0 for a full accumulator, whose rounded weights add to σ_q² instead; D²·F(√(2α)/D) for a
    naive one; 0 for a corrected one.

    Reference: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), for the updates.
    """
    seen = gradient_noise**2 + rounded(gradient_noise, gap)
    if accumulator == "full":
        seen += gap**2 / 6
    rho = rounded(math.sqrt(2 * lr), gap) if accumulator == "low" else 0.0
    return (2 * lr + lr**2 * seen + rho) / (lr * (2 - lr))


def sghmc_variance(
    accumulator: str | None, lr: float, *, friction: float, inverse_mass: float, gap: float
) -> float:
    """Of θ under the exact step of the underdamped equations with the gradient held fixed.

        z' = M·z + noise of covariance Q,   Σ = M·Σ·Mᵀ + Q,   z = (θ, v)

    ``accumulator`` None is full precision. A full one sees a gradient with the noise D²/6. A naive
    one adds `rounded` to both variances of Q, with the spread of a whole step for θ, since θ is on
    the grid before it. A corrected one adds `forced` to that of θ.

    Reference: Wang, Chen, Song, Zhang, TMLR 2024 (arXiv 2310.16320), with the sign of the
    gradient's term in θ corrected.
    """
    h, e = friction * lr, math.exp(-friction * lr)
    kick = inverse_mass / friction * np.array([(h + e - 1) / friction, 1 - e])
    move = np.array([[1, (1 - e) / friction], [0, e]]) - np.outer(kick, [1, 0])
    covariance = inverse_mass / friction * (1 - e) ** 2
    spread = inverse_mass / friction**2 * (2 * h + 4 * e - e**2 - 3)
    noise = np.array([[spread, covariance], [covariance, inverse_mass * (1 - e**2)]])
    if accumulator == "full":
        noise += gap**2 / 6 * np.outer(kick, kick)
    if accumulator == "low":
        step = math.sqrt(spread + inverse_mass * move[0, 1] ** 2)
        noise += np.diag([rounded(step, gap), rounded(math.sqrt(noise[1, 1]), gap)])
    if accumulator == "variance_corrected":
        noise[0, 0] += forced(spread, gap)
    return float(np.linalg.solve(np.eye(4) - np.kron(move, move), noise.ravel())[0])
