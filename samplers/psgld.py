"""Preconditioned stochastic gradient Langevin dynamics as a ``torch.optim`` optimizer."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim.optimizer import ParamsT

import numformats as nf
from samplers.checks import check_squares
from samplers.domains import check_positive, check_share
from samplers.entry import Entry
from samplers.optimizer import Sampler
from samplers.precision import Precision
from samplers.priors import Prior
from samplers.state import widened
from samplers.steps import Draw, accumulate, descent, gradient


class PSGLD(Sampler):
    """Draws from exp(-(num_data/T)·(L(θ) + wd/2·‖θ‖²)), L the mean loss, by steps of RMSprop sizes.

        s ← ρ·s + (1-ρ)·Q_G(∇loss)²,   G = 1/(damping + √s)
        θ ← θ - lr·G·(Q_G(∇loss) + wd·θ) + √(2·lr·G·T/num_data)·ξ

    ``state[p]["square"]`` holds s in float32 and begins at 1, so that the first steps are SGLD's.
    The term Γ = Σ ∂G/∂θ of the Langevin equation is left out, as in the paper: while s adapts, the
    stationary law is off by O(1-ρ); after ``adapt_steps`` G is constant, Γ = 0, and the law is
    SGLD's with the step sizes lr·G.

    Args:
        params: as of `SGLD`.
        lr: step size.
        num_data: number of data points N behind the mean loss.
        temperature: T; 0 gives RMSprop's descent without noise.
        weight_decay: the prior is N(0, I/(num_data·wd)), tempered like the likelihood.
        precision: None keeps everything in full precision.
        seed: of the noise and the stochastic rounding.
        chain: chains with one seed and different numbers share no random bits.
        prior: another prior in place of ``weight_decay``, as of `SGLD`.
        smoothing: ρ, in [0, 1).
        damping: bounds G by 1/damping.
        adapt_steps: steps of each parameter after which s stays as it is; None adapts for ever.

    Raises:
        ValueError, TypeError: as of `SGLD`; ``smoothing``, ``damping``, ``adapt_steps`` out of
            their domain; while s adapts, gradients whose square is infinite.

    Promise: a run resumed from ``state_dict`` gives the bits of the uninterrupted one; gradients
    are never changed.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(2))
        >>> weight.grad = torch.tensor([0.5, 4.0])
        >>> options = {"smoothing": 0.0, "damping": 0.1, "temperature": 0.0}
        >>> PSGLD([weight], 0.1, num_data=9, **options).step()
        >>> weight.detach()  # gradients of any size move alike
        tensor([-0.0833, -0.0976])

    Reference: Li, Chen, Carlson, Carin, AAAI 2016 (arXiv 1512.07666), Algorithm 1.
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
        smoothing: float = 0.99,
        damping: float = 1e-5,
        adapt_steps: int | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "num_data": num_data,
            "temperature": temperature,
            "weight_decay": weight_decay,
            "seed": seed,
            "chain": chain,
            "prior": prior,
            "smoothing": smoothing,
            "damping": damping,
            "adapt_steps": adapt_steps,
        }
        super().__init__(params, defaults, precision)

    @property
    def update(self) -> str:
        """One step, as `describe` prints it."""
        return (
            "θ ← θ - lr·G·g + √(2·lr·G·T/num_data)·ξ, G = 1/(damping + √s), s the mean square of "
            "the gradients (pSGLD)"
        )

    def _check_group(self, group: dict[str, Any]) -> None:
        super()._check_group(group)
        _check_preconditioner(group)

    def _check_gradients(self, moving: list[Entry]) -> None:
        """An infinite s would stay so, and the weight would never move again."""
        super()._check_gradients(moving)
        adapting = (e for e in moving if self._adapts(e))
        check_squares((e.label, e.param.grad, widened(e.param.dtype)) for e in adapting)

    def _adapts(self, entry: Entry) -> bool:
        end = entry.group["adapt_steps"]
        return end is None or bool(self.state[entry.param]["step"] < end)

    def _begin(self, entry: Entry) -> dict[str, Any]:
        square = torch.ones_like(entry.param.detach(), dtype=widened(entry.param.dtype))
        return {"square": square}

    def _move(
        self,
        entry: Entry,
        theta: torch.Tensor,
        grad: torch.Tensor,
        pull: torch.Tensor | None,
        key: nf.Key,
    ) -> Draw:
        group, precision = entry.group, entry.precision
        square, lr = self.state[entry.param]["square"], float(group["lr"])
        seen = gradient(theta, grad, precision, key)
        if self._adapts(entry):
            square = (square * group["smoothing"]).addcmul(seen, seen, value=1 - group["smoothing"])
        steps = lr / (group["damping"] + square.sqrt())
        slope = descent(theta, seen, group["weight_decay"], pull)
        variance = steps * (2 * group["temperature"] / group["num_data"])
        draw = accumulate(theta.addcmul(steps, slope, value=-1), variance, precision, key)
        return draw._replace(carried={"square": square})


def _check_preconditioner(group: dict[str, Any]) -> None:
    check_share("smoothing", group["smoothing"])
    check_positive("damping", group["damping"])
    steps = group["adapt_steps"]
    if steps is not None and (not isinstance(steps, int) or steps < 0):
        raise ValueError(f"adapt_steps={steps!r}; write a number of steps >= 0, or None")
