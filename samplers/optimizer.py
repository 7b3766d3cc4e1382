"""What every sampler of the ``torch.optim`` kind shares: options, groups, state, counters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, overload

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from samplers import checks
from samplers.counters import Counters, count, reset
from samplers.describe import describe
from samplers.entry import Entry, check_all_rules, checked_precision, entries, with_saved
from samplers.fits import check_fit, may_lack
from samplers.precision import Precision
from samplers.priors import check_prior, slope
from samplers.state import current, initialise, parameter_key, plain, take_over, widening
from samplers.steps import Draw

STATIC = ("prior", "precision")
"""Options of groups that stay with the optimizer: they are no plain data for a ``state_dict``."""


class Sampler(torch.optim.Optimizer):
    """Base of the samplers, which add `_check_group`, `_check`, `_begin`, `_move` and `update`.

    Args:
        params: tensors, dicts of options, or ``model.named_parameters()``.
        defaults: options of the groups.
        precision: for all groups without one of their own.
    """

    _step_supports_amp_scaling = True  # so that GradScaler announces itself: see `check_scaler`
    _building = False

    def __init__(
        self, params: ParamsT, defaults: dict[str, Any], precision: Precision | None
    ) -> None:
        self.precision = checked_precision(precision)
        defaults = checks.with_plain_numbers(defaults)
        checks.check_options(defaults)
        self._building = True  # the weights wait until all groups are checked
        super().__init__(params, defaults)
        self._building = False
        check_all_rules(self.param_groups, self.precision)
        self._start(self._entries())

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own; they are quantized as on construction."""
        known = sum(len(group["params"]) for group in self.param_groups)
        super().add_param_group(checks.with_plain_numbers(param_group))
        try:
            added = self._admitted(known)
        except (ValueError, TypeError):
            self.param_groups.pop()
            raise
        if not self._building:
            self._start(added)

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
            ValueError, TypeError: options out of their domain, a gradient, also of a prior, that is
                sparse or not finite, weights that the parameter's dtype lacks, before any parameter
                has moved; ``torch.amp.GradScaler.step``.
        """
        checks.check_scaler(self)
        for group in self.param_groups:
            self._check_group(group)
        with torch.enable_grad():
            loss = None if closure is None else closure()
        moving = [entry for entry in self._entries() if entry.param.grad is not None]
        self._check_gradients(moving)
        if moving and not any(self.state[entry.param]["step"] for entry in moving):
            checks.warn_if_summed(loss)
            checks.warn_if_large((e.param, self._rate(e.group)) for e in moving)
        # what may be refused comes before the first parameter moves: functions, and some draws
        pulls = {e.index: self._pull(e) for e in moving if callable(e.group.get("prior"))}
        narrow = [e for e in moving if may_lack(e.param, e.precision)]
        ready = {e.index: self._draw(e, pulls.get(e.index)) for e in narrow}
        for entry in moving:
            draw = ready.pop(entry.index, None) or self._draw(entry, pulls.get(entry.index))
            take_over(entry.param, self.state[entry.param], draw)
        return loss

    def counters(self) -> Counters:
        """Shares of the values drawn so far that missed their variance or were clipped, and of the
        weights that never moved."""
        return count(self.state[entry.param] for entry in self._entries())

    def reset_counters(self) -> None:
        """Count anew from here, for example after burn-in."""
        for entry in self._entries():
            reset(self.state[entry.param])

    def accumulators(self) -> AbstractContextManager[None]:
        """Inside the context the parameters hold their accumulators, in the parameters' dtype."""
        return widening([(e.param, self.state[e.param]) for e in self._entries()])

    @property
    def update(self) -> str:
        """One step, as `describe` prints it."""
        raise NotImplementedError

    def describe(self) -> str:
        """The target density, the update and the arithmetic, in words."""
        return describe(self.param_groups, self.update, self.precision)

    def state_dict(self) -> dict[str, Any]:
        """Options and state as plain data and tensors; priors and precisions stay here."""
        found = super().state_dict()
        groups = [{n: g[n] for n in g if n not in STATIC} for g in found["param_groups"]]
        state = {number: plain(held) for number, held in found["state"].items()}
        return {**found, "state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over options and state, every tensor in its own dtype and as a copy.

        The seed, the chain and the step counters come with the state: the run goes on as if never
        interrupted. Priors and precisions are those of this optimizer.
        """
        found = with_saved(self._entries(), state_dict)
        for number, entry, saved in found:
            checks.check_state(type(self).__name__, number, saved, self.state[entry.param])
        static = [{n: g[n] for n in STATIC if n in g} for g in self.param_groups]
        super().load_state_dict(state_dict)
        for group, kept in zip(self.param_groups, static, strict=True):
            group.update(kept)
        for _, entry, saved in found:
            for name, value in saved.items():
                if isinstance(value, torch.Tensor):  # the base class casts to the parameter's dtype
                    self.state[entry.param][name] = value.detach().to(entry.param.device, copy=True)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "precision": self.precision}

    def _entries(self) -> Iterator[Entry]:
        return entries(self.param_groups, self.precision)

    def _admitted(self, known: int) -> list[Entry]:
        """The parameters of the last group, after the first ``known``, once they are checked."""
        group = self.param_groups[-1]
        checks.check_names(group, (*self.defaults, *STATIC))
        self._check_group(group)
        if "precision" in group:
            group["precision"] = checked_precision(group["precision"])
        added = list(self._entries())[known:]
        for entry in added:
            check_fit(entry.label, entry.param, entry.precision)
            self._check(entry)
        if not self._building:
            check_all_rules(self.param_groups, self.precision)
        return added

    def _start(self, added: Iterable[Entry]) -> None:
        for entry in added:
            state = initialise(entry.param, entry.precision)
            self.state[entry.param].update(state | self._begin(entry))

    def _draw(self, entry: Entry, pull: Tensor | None) -> Draw:
        state, group, param = self.state[entry.param], entry.group, entry.param
        assert param.grad is not None
        if pull is None and group.get("prior") is not None:
            pull = self._pull(entry)
        key = parameter_key(group["seed"], group["chain"], entry.index).fold(state["step"])
        draw = self._move(entry, current(param, state), param.grad, pull, key)
        if entry.precision.weight is not None:
            checks.check_representable(entry.label, param, draw.seen, entry.precision)
        return draw

    def _written(self, entry: Entry) -> Tensor | None:
        """The parameter, where a step may write into it and its accumulator at once: nothing is
        asked of the values before, and none of the new ones is to be checked."""
        state, param = self.state[entry.param], entry.param.detach()
        flat = param.dtype == torch.float32 and param.is_contiguous()
        return param if flat and not state["still"] else None

    def _pull(self, entry: Entry) -> Tensor:
        group, prior = entry.group, entry.group["prior"]
        theta = current(entry.param, self.state[entry.param])
        found: Tensor = slope(prior, theta) / group["num_data"]
        return found

    def _begin(self, entry: Entry) -> dict[str, Any]:
        """The sampler's own state of a parameter before its first step."""
        return {}

    def _check_group(self, group: dict[str, Any]) -> None:
        """Refuse options outside their domain, on construction and before each step."""
        checks.check_options(group)
        check_prior(group.get("prior"), group["weight_decay"])

    def _check(self, entry: Entry) -> None:
        """Refuse precisions that the sampler has no law for."""

    def _check_gradients(self, moving: list[Entry]) -> None:
        """Refuse gradients that make no step, before any parameter has moved."""
        checks.check_gradients((e.label, self.state[e.param]["step"], e.param.grad) for e in moving)

    def _rate(self, group: dict[str, Any]) -> float:
        """How far a gradient moves a weight, all in all."""
        return float(group["lr"])

    def _move(
        self, entry: Entry, theta: Tensor, grad: Tensor, pull: Tensor | None, key: Any
    ) -> Draw:
        """One step from the accumulator ``theta``: new tensors."""
        raise NotImplementedError
