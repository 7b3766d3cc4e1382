"""Independent chains of SGHMC on one coordinate, side by side in one tensor."""

from __future__ import annotations

from collections.abc import Callable

import torch

from samplers.precision import Precision
from samplers.sghmc import SGHMC

Gradient = Callable[[torch.Tensor], torch.Tensor]


def hmc_chains(
    start: torch.Tensor,
    gradient: Gradient,
    precision: Precision | None,
    *,
    lr: float,
    friction: float,
    inverse_mass: float,
    steps: int,
    seed: int,
    record_every: int,
) -> torch.Tensor:
    """Run chains on exp(-U) in the papers' arithmetic.

    Args:
        start: (chains,), float32.
        gradient: ∇U of each coordinate.
        precision: of the optimizer; elementwise formats only, so that the chains stay independent.
        lr: length of a step.
        friction: γ.
        inverse_mass: u.
        steps: how many.
        seed: of noise and rounding.
        record_every: keep every so-manieth state.

    Returns:
        The kept states, (kept, chains): of a full accumulator, the accumulator itself.
    """
    weight = torch.nn.Parameter(start.clone())
    optimizer = SGHMC(
        [weight], lr, num_data=1, friction=friction, inverse_mass=inverse_mass,
        precision=precision, seed=seed,
    )  # fmt: skip
    kept = []
    for k in range(1, steps + 1):
        weight.grad = gradient(weight.detach())
        optimizer.step()
        if k % record_every == 0:
            with optimizer.accumulators():
                kept.append(weight.detach().clone())
    return torch.stack(kept)
