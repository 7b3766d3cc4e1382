"""The registry of samplers over which the shared laws run: a new sampler adds one line."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch

from samplers import PSGLD, SGHMC, SGLD
from tests.samplers import linear

ALL = ("full", "low", "variance_corrected")


@dataclass(frozen=True)
class Algorithm:
    """A sampler with settings of its own, and its recursion on quadratics at a heat T/num_data."""

    build: Callable[..., torch.optim.Optimizer]
    recursion: Callable[[float], linear.Recursion]
    accumulators: tuple[str, ...] = ALL


def hmc(lr, friction, inverse_mass, integrator="exponential"):
    return partial(
        SGHMC, lr=lr, friction=friction, inverse_mass=inverse_mass, integrator=integrator
    )


ALGORITHMS = {
    "SGLD": Algorithm(partial(SGLD, lr=0.2), partial(linear.langevin, 0.2)),
    "pSGLD": Algorithm(
        partial(PSGLD, lr=0.3, damping=0.5, adapt_steps=0), partial(linear.langevin, 0.3 / 1.5)
    ),
    "SGHMC": Algorithm(hmc(0.3, 2.0, 1.5), lambda heat: linear.exponential(0.3, 2.0, 1.5, heat)),
    "SGHMC, BAOAB": Algorithm(
        hmc(0.7, 1.5, 0.9, "baoab"), lambda heat: linear.baoab(0.7, 1.5, 0.9, heat), ("full",)
    ),
    "SGHMC, Euler": Algorithm(
        hmc(0.5, 0.6, 0.8, "euler"),
        lambda heat: linear.symplectic_euler(0.5, 0.6, 0.8, heat),
        ("full",),
    ),
}
CASES = [(name, accumulator) for name, a in ALGORITHMS.items() for accumulator in a.accumulators]
