"""Stochastic gradient Langevin dynamics as a ``torch.optim`` optimizer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, overload

import torch
from torch.optim.optimizer import ParamsT

from samplers.checks import check_gradient, check_options, check_parameter, check_state
from samplers.describe import describe_group
from samplers.precision import FULL, Precision
from samplers.state import advance, initialise


class Counters(NamedTuple):
    """Weights drawn so far, and the shares of them that missed their variance or their range."""

    drawn: int
    deficit: float
    saturated: float


class SGLD(torch.optim.Optimizer):
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
        precision: None keeps everything in full precision.
        seed: of the noise and the stochastic rounding.
        chain: chains with one seed and different numbers share no random bits.

    Raises:
        ValueError, TypeError: options or parameters that make no sense, sparse or complex
            gradients.

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
    ) -> None:
        if precision is not None and not isinstance(precision, Precision):
            raise TypeError(f"precision={precision!r}: write samplers.Precision(...) or None")
        self.precision = FULL if precision is None else precision
        defaults = {
            "lr": lr,
            "num_data": num_data,
            "temperature": temperature,
            "weight_decay": weight_decay,
            "seed": seed,
            "chain": chain,
        }
        check_options(defaults)
        super().__init__(params, defaults)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; they are quantized as on construction."""
        known = sum(len(group["params"]) for group in self.param_groups)
        super().add_param_group(param_group)
        check_options(self.param_groups[-1])
        for index, _, param, precision in list(self._parameters())[known:]:
            check_parameter(index, param)
            self.state[param].update(initialise(param, precision))

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One Langevin step of every parameter that has a gradient.

        Args:
            closure: computes the loss again and returns it.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moving = [entry for entry in self._parameters() if entry[2].grad is not None]
        for index, _, param, _ in moving:
            check_gradient(index, param.grad)
        for index, group, param, precision in moving:
            advance(param, self.state[param], group, index, precision)
        return loss

    def counters(self) -> Counters:
        """Shares of the weights drawn so far that missed their variance or were clipped."""
        states = [self.state[param] for _, _, param, _ in self._parameters()]
        drawn = sum(state["drawn"] for state in states)
        shares = (
            sum(state[name] for state in states) / max(drawn, 1)
            for name in ("deficit", "saturated")
        )
        return Counters(drawn, *shares)

    @contextlib.contextmanager
    def accumulators(self) -> Iterator[None]:
        """Inside the context the parameters hold their accumulators, in the parameters' dtype."""
        kept = [
            (p, p.detach().clone())
            for _, _, p, _ in self._parameters()
            if "accumulator" in self.state[p]
        ]
        with torch.no_grad():
            for param, _ in kept:
                param.copy_(self.state[param]["accumulator"])
        try:
            yield
        finally:
            with torch.no_grad():
                for param, seen in kept:
                    param.copy_(seen)

    def describe(self) -> str:
        """The target density and the arithmetic, in words."""
        lines = [describe_group(i, group) for i, group in enumerate(self.param_groups)]
        return "\n".join([*lines, f"Arithmetic: {self.precision}."])

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over options and state, accumulators in their own dtype and as copies.

        The seed, the chain and the step counters come with the state: the run goes on as if never
        interrupted.
        """
        saved = [number for group in state_dict["param_groups"] for number in group["params"]]
        for number, (_, _, param, _) in zip(saved, self._parameters(), strict=False):
            check_state(number, state_dict["state"].get(number, {}), self.state[param])
        super().load_state_dict(state_dict)
        for number, (_, _, param, _) in zip(saved, self._parameters(), strict=True):
            accumulator = state_dict["state"].get(number, {}).get("accumulator")
            if accumulator is not None:  # the base class casts it to the parameter's dtype
                self.state[param]["accumulator"] = accumulator.detach().clone().to(param.device)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "precision": self.precision}

    def _parameters(self) -> Iterator[tuple[int, dict[str, Any], torch.Tensor, Precision]]:
        index = 0
        for group in self.param_groups:
            names = group.get("param_names", [""] * len(group["params"]))
            for name, param in zip(names, group["params"], strict=True):
                yield index, group, param, self.precision.for_parameter(index, name, param)
                index += 1
