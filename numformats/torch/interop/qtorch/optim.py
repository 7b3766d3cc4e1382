"""The call of ``qtorch.optim``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

__all__ = ["OptimLP"]

MOMENTA = {torch.optim.SGD: ("momentum_buffer",), torch.optim.Adam: ("exp_avg", "exp_avg_sq")}
OWN = (
    "optim", "momenta", "grad_scaling", "weight_quant", "grad_quant", "momentum_quant", "acc_quant",
    "accumulators",
)  # fmt: skip
"""What a copy has beside what every optimizer of torch has."""
Quant = Callable[[Tensor], Tensor]


class OptimLP(torch.optim.Optimizer):
    """SGD or Adam whose gradients, momenta, accumulators and weights are rounded around its step.

    g ← Q_grad(s·g); the step, on the accumulator a where there is one, else on w;
    a ← Q_acc(a); w ← Q_weight(a); m ← Q_momentum(m).

    Args:
        optim: ``torch.optim.SGD`` or ``torch.optim.Adam``, which it shares its groups and state
            with.
        weight_quant: rounds weights after the step; None leaves them.
        grad_scaling: s.
        grad_quant: rounds gradients; None leaves them unscaled too.
        momentum_quant: rounds momenta.
        acc_quant: rounds the accumulators, which it brings about; None: there are none.

    Raises:
        TypeError: another optimizer; a number in the place of a function that rounds.
        ValueError: a scale that is not positive and finite.

    Example:
        >>> from numformats.torch.interop.qtorch import FixedPoint, quant
        >>> w = torch.nn.Parameter(torch.tensor([0.5]))
        >>> q = quant.quantizer(FixedPoint(8, 4), forward_rounding="nearest")
        >>> optimizer = OptimLP(torch.optim.SGD([w], lr=0.1), weight_quant=q)
        >>> w.grad = torch.tensor([1.0])
        >>> _ = optimizer.step()
        >>> w.data
        tensor([0.3750])
    """

    def __init__(
        self,
        optim: torch.optim.Optimizer,
        weight_quant: Quant | None = None,
        grad_scaling: float = 1.0,
        grad_quant: Quant | None = None,
        momentum_quant: Quant | None = None,
        acc_quant: Quant | None = None,
    ) -> None:
        kind = next((k for k in MOMENTA if isinstance(optim, k)), None)
        if kind is None:
            raise TypeError(f"optim is a {type(optim).__name__}; give torch.optim.SGD or Adam")
        if not 0 < grad_scaling < float("inf"):
            raise ValueError(f"grad_scaling={grad_scaling!r}; write a number above 0")
        for quant in (weight_quant, grad_quant, momentum_quant, acc_quant):
            if not (quant is None or callable(quant)):
                raise TypeError(f"{quant!r} is no function; write quantizer({quant!r}) or None")
        super().__init__(optim.param_groups, optim.defaults)
        self.optim, self.momenta, self.grad_scaling = optim, MOMENTA[kind], grad_scaling
        self.weight_quant, self.grad_quant = weight_quant, grad_quant
        self.momentum_quant, self.acc_quant = momentum_quant, acc_quant
        self._share()
        accumulates = acc_quant is not None
        self.accumulators = [p.detach().clone() for p in self._parameters() if accumulates]

    def _share(self) -> None:
        self.param_groups, self.state = self.optim.param_groups, self.optim.state

    def _parameters(self) -> Iterator[Any]:
        return (p for group in self.param_groups for p in group["params"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Parameters of another group, with accumulators where the others have some."""
        super().add_param_group(param_group)
        if getattr(self, "acc_quant", None) is not None:
            self.accumulators += [p.detach().clone() for p in self.param_groups[-1]["params"]]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; ``closure`` is called once, before gradients are rounded."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moved = [p for p in self._parameters() if p.grad is not None]
        if self.grad_quant is not None:
            for p in moved:
                p.grad = self.grad_quant(p.grad * self.grad_scaling)
        if self.accumulators:
            for p, wide in zip(self._parameters(), self.accumulators, strict=True):
                p.copy_(wide)
        self.optim.step()
        self._round_weights()
        if self.momentum_quant is not None:
            for p in moved:
                self._round_momenta(self.state[p])
        return loss

    def _round_weights(self) -> None:
        if self.acc_quant is not None:
            for p, wide in zip(self._parameters(), self.accumulators, strict=True):
                wide.copy_(self.acc_quant(p.detach()))
                p.copy_(wide)
        if self.weight_quant is not None:
            for p in self._parameters():
                p.copy_(self.weight_quant(p.detach()))

    def _round_momenta(self, state: dict[str, Any]) -> None:
        assert self.momentum_quant is not None
        for name in self.momenta:
            if state.get(name) is not None:  # SGD without momentum has none
                state[name].copy_(self.momentum_quant(state[name]))

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), **{name: getattr(self, name) for name in OWN}}

    def state_dict(self) -> dict[str, Any]:
        """That of the optimizer inside, and the accumulators."""
        return {"optim": self.optim.state_dict(), "accumulators": self.accumulators}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Continue from ``state_dict()``.

        Raises:
            ValueError: the state of another optimizer, of other groups or parameters; accumulators
                on one side only. Nothing is loaded then.
        """
        if set(state_dict) != {"optim", "accumulators"}:
            raise ValueError(
                f"a state with the keys {sorted(state_dict)} is not of OptimLP.state_dict(); one "
                "of the optimizer inside goes into OptimLP(...).optim.load_state_dict"
            )
        given = state_dict["accumulators"]
        there, here = ([tuple(wide.shape) for wide in kept] for kept in (given, self.accumulators))
        if there != here:
            raise ValueError(
                f"accumulators of shapes {there} for {here}: load it for the same parameters, and "
                "give acc_quant here and there, or at neither"
            )
        self.optim.load_state_dict(state_dict["optim"])
        self._share()
        for mine, other in zip(self.accumulators, given, strict=True):
            mine.copy_(other)

    def __repr__(self) -> str:
        return f"OptimLP({self.optim!r})"
