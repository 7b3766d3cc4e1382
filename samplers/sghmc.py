"""Stochastic gradient Hamiltonian Monte Carlo as a ``torch.optim`` optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from samplers.domains import check_positive
from samplers.entry import Entry
from samplers.optimizer import Sampler
from samplers.precision import Precision
from samplers.priors import Prior
from samplers.sghmc_one_pass import one_pass, one_pass_serves
from samplers.sghmc_steps import INTEGRATORS
from samplers.state import widened
from samplers.steps import Draw, descent, gradient
from samplers.underdamped import Dynamics

UPDATES = {
    "exponential": "v' = e·v - (u/γ)(1-e)·g + ξv, "
    "θ ← θ + (1-e)/γ·v - (u/γ²)(γη+e-1)·g + ξθ, v ← v' with e = exp(-γη)",
    "baoab": "v ← v - ηu·g, θ ← θ + η/2·v, v ← exp(-γη)·v + ξ, θ ← θ + η/2·v",
    "euler": "v ← (1-γη)·v - ηu·g + ξ, θ ← θ + η·v",
}


class SGHMC(Sampler):
    """Draws from exp(-(num_data/T)·(L(θ) + wd/2·‖θ‖²)), L the mean loss, by underdamped steps.

        dv = -γv dt - u·g dt + √(2γuT/num_data) dB,   dθ = v dt,   g = Q_G(∇loss) + wd·θ

    over a time ``lr`` with g held fixed. ``state[p]["velocity"]`` begins at 0.

    Args:
        params: as of `SGLD`.
        lr: length η of a step.
        num_data: number of data points N behind the mean loss.
        friction: γ > 0.
        temperature: T; 0 gives damped descent without noise.
        weight_decay: the prior is N(0, I/(num_data·wd)), tempered like the likelihood.
        precision: None keeps everything in full precision. ``low`` and ``variance_corrected`` keep
            the velocity in the weight's format too, fixed point and floats of less than 8 exponent
            bits in units of ``state[p]["velocity_scale"]``, a power of two, at most 1: velocities,
            of variance u·T/N, beyond the format's range are clipped, and counted as saturated.
        seed: of the noise and the stochastic rounding.
        chain: chains with one seed and different numbers share no random bits.
        prior: another prior in place of ``weight_decay``, as of `SGLD`.
        inverse_mass: u.
        integrator: ``"exponential"``, the exact step of the equations above; with a full
            accumulator also ``"baoab"``, whose variance of θ on a quadratic is exact at every
            stable step, and ``"euler"``, which is SGD with momentum 1 - γη and step size η²u.

    Raises:
        ValueError, TypeError: as of `SGLD`; a friction that is not positive; an integrator without
            a law for the accumulator.

    Promise: a run resumed from ``state_dict`` gives the bits of the uninterrupted one; gradients
    are never changed; with ``euler`` at T = 0 and lr = 1 in full precision, ``inverse_mass`` a
    power of two, the bits of ``torch.optim.SGD(inverse_mass, momentum=1 - friction)``.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(2))
        >>> weight.grad = torch.ones(2)
        >>> SGHMC([weight], 1.0, num_data=9, friction=1.0, temperature=0.0).step()
        >>> weight.detach()  # -(γη + exp(-γη) - 1)·u/γ²
        tensor([-0.3679, -0.3679])

    Reference: Chen, Fox, Guestrin, ICML 2014; Wang, Chen, Song, Zhang, TMLR 2024 (arXiv
    2310.16320), with the sign of the gradient in θ corrected and the covariance kept.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | torch.Tensor,
        *,
        num_data: int,
        friction: float,
        temperature: float = 1.0,
        weight_decay: float = 0.0,
        precision: Precision | None = None,
        seed: int = 0,
        chain: int = 0,
        prior: Prior | None = None,
        inverse_mass: float = 1.0,
        integrator: str = "exponential",
    ) -> None:
        defaults = {
            "lr": lr,
            "num_data": num_data,
            "friction": friction,
            "temperature": temperature,
            "weight_decay": weight_decay,
            "seed": seed,
            "chain": chain,
            "prior": prior,
            "inverse_mass": inverse_mass,
            "integrator": integrator,
        }
        super().__init__(params, defaults, precision)

    @property
    def update(self) -> str:
        """One step, as `describe` prints it."""
        kinds = {group["integrator"] for group in self.param_groups}
        return "; ".join(
            f"{UPDATES[kind]} (SGHMC, {kind})" for kind in INTEGRATORS if kind in kinds
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        _check_dynamics(group)

    def _check(self, entry: Entry) -> None:
        accumulator = entry.precision.accumulator
        if entry.group["integrator"] != "exponential" and accumulator != "full":
            raise ValueError(
                f"integrator={entry.group['integrator']!r} with accumulator={accumulator!r} for "
                f'{entry.label}: write integrator="exponential", or accumulator="full"'
            )

    def _begin(self, entry: Entry) -> dict[str, Any]:
        still = torch.zeros_like(entry.param.detach(), dtype=widened(entry.param.dtype))
        return {"velocity": still, "velocity_scale": 1.0}

    def _rate(self, group: dict[str, Any]) -> float:
        return float(group["lr"] * group["inverse_mass"] / group["friction"])

    def _move(
        self,
        entry: Entry,
        theta: torch.Tensor,
        grad: torch.Tensor,
        pull: torch.Tensor | None,
        key: Any,
    ) -> Draw:
        group, velocity = entry.group, self.state[entry.param]["velocity"]
        heat = group["temperature"] / group["num_data"]
        dynamics = Dynamics(float(group["lr"]), group["friction"], group["inverse_mass"], heat)
        if group["integrator"] == "exponential" and pull is None:
            decay = group["weight_decay"]
            if one_pass_serves(theta, entry.precision):
                return one_pass(theta, velocity, grad, decay, dynamics, entry.precision, key)
        seen = gradient(theta, grad, entry.precision, key)
        slope = descent(theta, seen, group["weight_decay"], pull)
        integrate = INTEGRATORS[group["integrator"]]
        return integrate(theta, velocity, slope, dynamics, entry.precision, key)


def _check_dynamics(group: dict[str, Any]) -> None:
    for name in ("friction", "inverse_mass"):
        check_positive(name, group[name])
    if group["integrator"] not in INTEGRATORS:
        raise ValueError(
            f"integrator={group['integrator']!r} is unknown; write one of {', '.join(INTEGRATORS)}"
        )
    if group["integrator"] == "euler" and group["friction"] * float(group["lr"]) > 1:
        raise ValueError(
            f"friction={group['friction']!r} with lr={float(group['lr'])!r} gives the momentum "
            f"{1 - group['friction'] * float(group['lr']):g}; write friction <= 1/lr"
        )
