"""``Simulation``: a context, or what a model carries, under which torch is intercepted."""

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from torch import nn
from torch.nn.modules import module as hooks
from torch.optim import optimizer

from numformats.checks import choice, integer
from numformats.naming import parse
from numformats.rounding import find
from numformats.torch.simulation.audit import Audit
from numformats.torch.simulation.interception import Interception
from numformats.torch.simulation.places import Places, Policy, Run, paths
from numformats.torch.simulation.report import Report
from numformats.torch.simulation.rules import Rules, accelerator_of

_active = threading.local()
LARGEST = (1 << 64) - 1


class Simulation:
    """A simulation: a context manager, or what a model carries as ``model.simulation``.

    ``report()`` says what it computed; ``remove()`` frees the model. See ``simulate``.
    """

    def __init__(
        self,
        accelerator: Any,
        *,
        mode: str = "exact",
        elementwise: Any = None,
        elementwise_rounding: str = "nearest_even",
        rules: Any = None,
        seed: int = 0,
        step: int = 0,
    ) -> None:
        choice("mode", mode, ("exact", "fast"))
        integer("seed", seed, 0, LARGEST)
        integer("step", step, 0, LARGEST)
        find(elementwise_rounding)
        self.accelerator = accelerator_of(accelerator)
        kept = None if elementwise is None else parse(elementwise)
        self.rules = Rules(rules, Policy(self.accelerator, kept), mode == "exact")
        self.rounding, self._depth = elementwise_rounding, 0
        self._model: nn.Module | None = None
        self._run = Run(Report(), mode == "exact", seed, step)
        self._places = Places(self.rules)
        self._open: ExitStack | None = None

    def report(self) -> Report:
        """What ran so far: simulated or not, by name, shape and count."""
        return self._run.report

    def __repr__(self) -> str:
        mode = "exact" if self._run.exact else "fast"
        return f"<Simulation on {self.accelerator.name}, {mode}: {self._run.report!r}>"

    def __getstate__(self) -> dict[str, Any]:
        if self._open is not None:
            raise RuntimeError("the simulation is running; copy or pickle it after its context")
        return self.__dict__

    def __enter__(self) -> "Simulation":
        _refuse_nesting(self)
        with ExitStack() as stack:
            audit = stack.enter_context(Audit(self._run, self._places))
            mode = Interception(self._run, self._places, audit, self.rounding)
            stack.enter_context(mode)
            for handle in (*_module_hooks(self._places), *_optimizer_hooks(mode)):
                stack.callback(handle.remove)
            _active.simulation = self
            stack.callback(setattr, _active, "simulation", None)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: Any) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None
            self._places.clear()

    def attach(self, model: nn.Module) -> None:
        """Run every call of ``model`` under this simulation."""
        self.rules.bind(model, paths(model))
        self._model = model
        model.register_forward_pre_hook(self._before)
        model.register_forward_hook(self._after, always_call=True)
        model.simulation = self  # type: ignore[assignment]

    def remove(self) -> None:
        """Let the model compute by itself again."""
        model, self._model = self._model, None
        if model is None:
            raise ValueError("no model is attached; a context ends by itself")
        for registry in (model._forward_pre_hooks, model._forward_hooks):
            for number in [n for n, h in registry.items() if getattr(h, "__self__", None) is self]:
                del registry[number]
                model._forward_hooks_always_called.pop(number, None)
        del model.simulation

    def _before(self, module: nn.Module, _: Any) -> None:
        if getattr(_active, "simulation", None) is not self:
            self.__enter__()
            self._depth = 0
            try:
                self._places.enter(module)
            except BaseException:
                self.__exit__()
                raise
        self._depth += 1

    def _after(self, module: nn.Module, *_: Any) -> None:
        self._depth = max(self._depth - 1, 0)
        if not self._depth and getattr(_active, "simulation", None) is self:
            self.__exit__()


def _refuse_nesting(new: Simulation) -> None:
    running = getattr(_active, "simulation", None)
    if running is new:
        raise RuntimeError("this simulation is entered already; leave it first")
    if running is not None:
        raise RuntimeError(
            f"a simulation on {running.accelerator.name} is running, and one cannot run inside "
            "another; leave it first, or give modules another accelerator by rules={'path': ...}"
        )
    if new._open is not None:
        raise RuntimeError(
            "this simulation is running in another thread; make one for every thread"
        )


def _module_hooks(places: Places) -> tuple[Any, Any]:
    thread = threading.get_ident()

    def enter(module: nn.Module, _: Any) -> None:
        if threading.get_ident() == thread:
            places.enter(module)

    def leave(module: nn.Module, *_: Any) -> None:
        if threading.get_ident() == thread:
            places.leave(module)

    return (
        hooks.register_module_forward_pre_hook(enter),
        hooks.register_module_forward_hook(leave, always_call=True),
    )


def _optimizer_hooks(mode: Interception) -> tuple[Any, Any]:
    """Optimizer steps are full precision: what they store is another matter."""

    def pausing(on: bool) -> Callable[..., None]:
        def hook(*_: Any) -> None:
            mode.paused = on

        return hook

    return (
        optimizer.register_optimizer_step_pre_hook(pausing(True)),
        optimizer.register_optimizer_step_post_hook(pausing(False)),
    )
