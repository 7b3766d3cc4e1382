"""The Gaussian toy U = θ²/2: where naive low-precision SGLD visibly goes wrong."""

from __future__ import annotations

from typing import Any

import torch

import numformats as nf
from samplers.precision import Precision
from samplers.sgld import SGLD

GRADIENT_NOISE = 0.1
SAMPLERS = {"SGLD-F": "full", "SGLD-L": "low", "VC SGLD-L": "variance_corrected"}


def toy_chains(
    theta: torch.Tensor,
    precision: Precision | None,
    *,
    lr: float,
    steps: int,
    seed: int = 0,
    record_every: int | None = None,
) -> torch.Tensor:
    """Run independent chains of `SGLD` on U = θ²/2 with gradient θ + 0.1·N(0, 1), temperature 1.

    Args:
        theta: start of each chain, shape (chains,), float32.
        precision: of the optimizer; elementwise formats only, so that the chains stay independent.
        lr: step size.
        steps: how many.
        seed: of the optimizer and, in another stream, of the gradient noise.
        record_every: keep every so-manieth state; only the last one where None.

    Returns:
        The kept states, (kept, chains): of a full accumulator, the accumulator itself.

    Reference: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), section 3.
    """
    weight = torch.nn.Parameter(theta.detach().clone())
    optimizer = SGLD([weight], lr, num_data=1, precision=precision, seed=seed)
    kept = []
    for k in range(1, steps + 1):
        noise = nf.random.normal(tuple(weight.shape), nf.Key(seed, 1).fold(k))
        weight.grad = weight.detach() + GRADIENT_NOISE * torch.from_numpy(noise)
        optimizer.step()
        if k % (record_every or steps) == 0:
            with optimizer.accumulators():
                kept.append(weight.detach().clone())
    return torch.stack(kept)


def toy_draws(
    fmt: Any = None, *, lr: float = 2e-3, chains: int = 4000, steps: int = 1200, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Draws of the three low-precision samplers on the toy, started from N(0, 1).

    Args:
        fmt: of weights and gradients; 8-bit fixed point with 3 fractional bits where None, as in
            the papers.
        lr: step size.
        chains: independent chains.
        steps: of each chain.
        seed: as in `toy_chains`.

    Returns:
        For each sampler the states of the last third of the run, 8 from each chain.
    """
    fmt = nf.FixedPoint(8, 3) if fmt is None else fmt
    start = torch.from_numpy(nf.random.normal((chains,), nf.Key(seed, 2)))
    draws = {}
    for name, accumulator in SAMPLERS.items():
        precision = Precision(fmt, fmt, accumulator)
        states = toy_chains(
            start, precision, lr=lr, steps=steps, seed=seed, record_every=steps // 24 or 1
        )
        draws[name] = states[-(len(states) // 3 or 1) :].flatten()
    return draws
