"""Stochastic gradient Langevin dynamics as a ``torch.optim`` optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from samplers.entry import Entry
from samplers.optimizer import Sampler
from samplers.precision import Precision
from samplers.priors import Prior
from samplers.steps import Draw, step


class SGLD(Sampler):
    """Draws from exp(-(num_data/T)·(L(θ) + wd/2·‖θ‖²)), with L the mean loss, by Langevin steps.

        θ ← θ - lr·(Q_G(∇loss) + wd·θ) + √(2·lr·T/num_data)·ξ        ξ ~ N(0, I)

    The loss whose gradient is taken is the **mean** over the batch. `Precision` says which
    quantities are stored in few bits. Noise and rounding are functions of (seed, chain, parameter
    index, step of that parameter) alone.

    A low-precision accumulator quantizes the parameters on construction, to nearest. A full one
    beside low-precision weights (or beside float16 and bfloat16 parameters) lives in
    ``state[p]["accumulator"]`` and begins as what the parameter holds on construction; the
    parameter then holds Q_W of it: set the weights before building the optimizer.

    Args:
        params: tensors, dicts of options, or ``model.named_parameters()`` (needed by rules that go
            by name).
        lr: step size; schedulers may change it.
        num_data: number of data points N behind the mean loss.
        temperature: T; 0 gives SGD.
        weight_decay: the prior is N(0, I/(num_data·wd)), tempered like the likelihood.
        precision: None keeps everything in full precision. A group may have one of its own.
        seed: of the noise and the stochastic rounding.
        chain: chains with one seed and different numbers share no random bits.
        prior: another prior (`Gaussian`, `Laplace`, or a function from a parameter to its
            log-density) in place of ``weight_decay``. A group may have one of its own.

    Raises:
        ValueError, TypeError: options or parameters that make no sense, sparse or complex
            gradients, gradients that are not finite.

    Promise: at T = 0 in full precision the bits of ``torch.optim.SGD(lr, weight_decay)``; a run
    resumed from ``state_dict`` gives the bits of the uninterrupted one; gradients are never
    changed.

    Reference: Welling and Teh, ICML 2011; Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909).
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | torch.Tensor,
        *,
        num_data: int,
        temperature: float = 1.0,
        weight_decay: float = 0.0,
        precision: Precision | None = None,
        seed: int = 0,
        chain: int = 0,
        prior: Prior | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "num_data": num_data,
            "temperature": temperature,
            "weight_decay": weight_decay,
            "seed": seed,
            "chain": chain,
            "prior": prior,
        }
        super().__init__(params, defaults, precision)

    @property
    def update(self) -> str:
        """One step, as `describe` prints it."""
        return "θ ← θ - lr·g + √(2·lr·T/num_data)·ξ (SGLD)"

    def _move(
        self,
        entry: Entry,
        theta: torch.Tensor,
        grad: torch.Tensor,
        pull: torch.Tensor | None,
        key: Any,
    ) -> Draw:
        group = entry.group
        lr = float(group["lr"])
        return step(
            theta,
            grad,
            lr=lr,
            weight_decay=group["weight_decay"],
            variance=2 * lr * group["temperature"] / group["num_data"],
            precision=entry.precision,
            key=key,
            pull=pull,
            weight=self._written(entry),
        )
