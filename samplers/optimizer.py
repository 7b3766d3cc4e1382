"""What every sampler of the ``torch.optim`` kind shares: options, groups, state, counters."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, overload

import torch
from torch.optim.optimizer import ParamsT

from samplers.checks import (
    check_gradient,
    check_options,
    check_parameter,
    check_scaler,
    check_state,
    warn_if_large,
    warn_if_summed,
)
from samplers.counters import Counters, count, reset
from samplers.describe import describe_group
from samplers.entry import Entry, check_all_rules, checked_precision, entries
from samplers.precision import Precision
from samplers.priors import check_prior, slope
from samplers.state import current, initialise, parameter_key, take_over
from samplers.steps import Draw

STATIC = ("prior", "precision")
"""Options of groups that stay with the optimizer: they are no plain data for a ``state_dict``."""


class Sampler(torch.optim.Optimizer):
    """Base of the samplers. A sampler adds `_check`, `_begin`, `_move` and its `update` in words.

    Args:
        params: tensors, dicts of options, or ``model.named_parameters()``.
        defaults: options of the groups.
        precision: for all groups without one of their own.
    """

    _step_supports_amp_scaling = True  # so that GradScaler announces itself: see `check_scaler`

    def __init__(
        self, params: ParamsT, defaults: dict[str, Any], precision: Precision | None
    ) -> None:
        self.precision = checked_precision(precision)
        check_options(defaults)
        super().__init__(params, defaults)
        check_all_rules(self.param_groups, self.precision)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; they are quantized as on construction."""
        known = sum(len(group["params"]) for group in self.param_groups)
        super().add_param_group(param_group)
        try:
            added = self._admitted(known)
        except (ValueError, TypeError):
            self.param_groups.pop()
            raise
        for entry in added:
            self.state[entry.param].update(initialise(entry.param, entry.precision))
            self.state[entry.param].update(self._begin(entry))

    @overload
    def step(self, closure: None = None) -> None: ...
    @overload
    def step(self, closure: Callable[[], float]) -> float: ...
    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step of every parameter that has a gradient.

        Args:
            closure: computes the loss again and returns it.

        Raises:
            ValueError, TypeError: a gradient that is sparse or not finite, before any parameter has
                moved; ``torch.amp.GradScaler.step``.
        """
        check_scaler(self)
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        moving = [entry for entry in self._entries() if entry.param.grad is not None]
        for entry in moving:
            check_gradient(entry.label, self.state[entry.param]["step"], entry.param.grad)
        if moving and not any(self.state[entry.param]["step"] for entry in moving):
            warn_if_summed(loss)
            warn_if_large((e.param, self._rate(e.group)) for e in moving)
        for entry in moving:
            self._advance(entry)
        return loss

    def counters(self) -> Counters:
        """Shares of the values drawn so far that missed their variance or were clipped, and of the
        weights that never moved."""
        return count(self.state[entry.param] for entry in self._entries())

    def reset_counters(self) -> None:
        """Count anew from here, for example after burn-in."""
        for entry in self._entries():
            reset(self.state[entry.param])

    @contextlib.contextmanager
    def accumulators(self) -> Iterator[None]:
        """Inside the context the parameters hold their accumulators, in the parameters' dtype."""
        params = [e.param for e in self._entries() if "accumulator" in self.state[e.param]]
        kept = [(param, param.detach().clone()) for param in params]
        with torch.no_grad():
            for param, _ in kept:
                param.copy_(self.state[param]["accumulator"])
        try:
            yield
        finally:
            with torch.no_grad():
                for param, seen in kept:
                    param.copy_(seen)

    @property
    def update(self) -> str:
        """One step, as `describe` prints it."""
        raise NotImplementedError

    def describe(self) -> str:
        """The target density, the update and the arithmetic, in words."""
        lines = [describe_group(i, group) for i, group in enumerate(self.param_groups)]
        lines += [f"Update: {self.update}.", f"Arithmetic: {self.precision}."]
        own = [(i, g["precision"]) for i, g in enumerate(self.param_groups) if "precision" in g]
        return "\n".join([*lines, *(f"Arithmetic of group {i}: {found}." for i, found in own)])

    def state_dict(self) -> dict[str, Any]:
        """Options and state as plain data and tensors; priors and precisions stay here."""
        found = super().state_dict()
        for group in found["param_groups"]:
            for name in STATIC:
                group.pop(name, None)
        return found

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over options and state, every tensor in its own dtype and as a copy.

        The seed, the chain and the step counters come with the state: the run goes on as if never
        interrupted. Priors and precisions are those of this optimizer.
        """
        saved = [number for group in state_dict["param_groups"] for number in group["params"]]
        for number, entry in zip(saved, self._entries(), strict=False):
            own = self.state[entry.param]
            check_state(type(self).__name__, number, state_dict["state"].get(number, {}), own)
        static = [{n: g[n] for n in STATIC if n in g} for g in self.param_groups]
        super().load_state_dict(state_dict)
        for group, kept in zip(self.param_groups, static, strict=True):
            group.update(kept)
        for number, entry in zip(saved, self._entries(), strict=True):
            for name, value in state_dict["state"].get(number, {}).items():
                if isinstance(value, torch.Tensor):  # the base class casts to the parameter's dtype
                    self.state[entry.param][name] = value.detach().to(entry.param.device, copy=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "precision": self.precision}

    def _entries(self) -> Iterator[Entry]:
        return entries(self.param_groups, self.precision)

    def _admitted(self, known: int) -> list[Entry]:
        """The parameters of the last group, after the first ``known``, once they are checked."""
        group = self.param_groups[-1]
        check_options(group)
        check_prior(group.get("prior"), group["weight_decay"])
        if "precision" in group:
            group["precision"] = checked_precision(group["precision"])
        added = list(self._entries())[known:]
        for entry in added:
            check_parameter(entry.label, entry.param)
            self._check(entry)
        return added

    def _advance(self, entry: Entry) -> None:
        state, group, param = self.state[entry.param], entry.group, entry.param
        assert param.grad is not None
        theta, prior = current(param, state), group.get("prior")
        pull = None if prior is None else slope(prior, theta) / group["num_data"]
        key = parameter_key(group["seed"], group["chain"], entry.index).fold(state["step"])
        draw = self._move(entry, theta, param.grad, pull, key)
        take_over(param, state, draw, entry.label, entry.precision)

    def _begin(self, entry: Entry) -> dict[str, Any]:
        """The sampler's own state of a parameter before its first step."""
        return {}

    def _check(self, entry: Entry) -> None:
        """Refuse options and precisions that the sampler has no law for."""

    def _rate(self, group: dict[str, Any]) -> float:
        """How far a gradient moves a weight, all in all."""
        return float(group["lr"])

    def _move(
        self,
        entry: Entry,
        theta: torch.Tensor,
        grad: torch.Tensor,
        pull: torch.Tensor | None,
        key: Any,
    ) -> Draw:
        """One step from the accumulator ``theta``: new tensors."""
        raise NotImplementedError
