"""The papers' low-precision updates in eager torch operations, as published code computes them:
what the fused steps are measured against. Noise comes from torch's global generator.

References: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), Algorithms 1 and 2; Wang, Chen,
Song, Zhang, TMLR 2024 (arXiv 2310.16320), with the sign of the gradient in the position corrected.
"""

from __future__ import annotations

import math

import torch

WORD_BITS, FRAC_BITS = 8, 6
GAP = 2.0**-FRAC_BITS
TOP, BOTTOM = 2.0 ** (WORD_BITS - 1 - FRAC_BITS) - GAP, -(2.0 ** (WORD_BITS - 1 - FRAC_BITS))


def block_gap(x: torch.Tensor) -> torch.Tensor:
    """The gap of 8-bit block floating point with one exponent for each row."""
    top = x.abs().amax(dim=1, keepdim=True)
    exponent = torch.floor(torch.log2(top + 1e-38)).clamp(-128, 127)
    return torch.exp2(exponent - (WORD_BITS - 2))


def limited(x: torch.Tensor, gap: float | torch.Tensor) -> torch.Tensor:
    """``x`` cut off at the range of the 8-bit integers."""
    if isinstance(gap, float):
        return x.clamp(BOTTOM, TOP)
    half = 2.0 ** (WORD_BITS - 1)
    return torch.maximum(torch.minimum(x, (half - 1) * gap), -half * gap)


def stochastic(x: torch.Tensor, gap: float | torch.Tensor) -> torch.Tensor:
    """Q^s."""
    return limited(torch.floor(x / gap + torch.rand_like(x)) * gap, gap)


def step_of_three(
    m: torch.Tensor, v: float | torch.Tensor, gap: float | torch.Tensor
) -> torch.Tensor:
    """Cat(m, v): ±gap or 0 with mean m and variance v."""
    up = (v + m**2 + m * gap) / (2 * gap**2)
    down = (v + m**2 - m * gap) / (2 * gap**2)
    u = torch.rand_like(m)
    return torch.where(u < up, gap, torch.where(u < up + down, -gap, torch.zeros_like(m)))


def corrected(mean: torch.Tensor, variance: float, gap: float | torch.Tensor) -> torch.Tensor:
    """Q^vc, both branches where they apply."""
    v0 = gap**2 / 4
    spread = variance - v0
    root = math.sqrt(max(spread, 0.0)) if isinstance(spread, float) else spread.clamp(min=0).sqrt()
    x = mean + root * torch.randn_like(mean)
    near = torch.round(x / gap) * gap
    rest = x - near
    wide = near + torch.sign(rest) * step_of_three(rest.abs(), v0, gap)
    q = torch.floor(mean / gap + torch.rand_like(mean)) * gap
    r = (mean - q).abs()
    missing = (variance - r * (gap - r)).clamp(min=0)
    narrow = q + step_of_three(torch.zeros_like(q), missing, gap)
    if isinstance(gap, float):
        return limited(wide if variance > v0 else narrow, gap)
    return limited(torch.where(variance > v0, wide, narrow), gap)


def sgld(theta: torch.Tensor, grad: torch.Tensor, lr: float, variance: float, kind: str) -> None:
    """One SGLD step in place; ``kind``: full, naive, corrected, block."""
    if kind == "block":
        mean = theta - lr * stochastic(grad, block_gap(grad))
        theta.copy_(corrected(mean, variance, block_gap(mean)))
        return
    mean = theta - lr * stochastic(grad, GAP)
    if kind == "corrected":
        theta.copy_(corrected(mean, variance, GAP))
        return
    moved = mean + math.sqrt(variance) * torch.randn_like(theta)
    theta.copy_(moved if kind == "full" else stochastic(moved, GAP))
    if kind == "full":
        stochastic(moved, GAP)  # the weights of forward and backward


def sghmc(
    theta: torch.Tensor, velocity: torch.Tensor, grad: torch.Tensor, m: dict[str, float]
) -> None:
    """One corrected SGHMC step in place, θ and v drawn independently as published."""
    g = stochastic(grad, GAP)
    mean_v = m["decay"] * velocity - m["kick_v"] * g
    mean_x = theta + m["drift"] * velocity - m["kick_x"] * g
    scale = min(float(mean_v.abs().max()) / TOP, 1.0)
    theta.copy_(corrected(mean_x, m["var_x"], GAP))
    velocity.copy_(corrected(mean_v / scale, m["var_v"] / scale**2, GAP) * scale)
