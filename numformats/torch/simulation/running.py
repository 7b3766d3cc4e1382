"""``Simulation``: a context, or what a model carries, under which torch is intercepted."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from torch import nn
from torch.overrides import _get_current_function_mode_stack

from numformats.checks import choice, integer
from numformats.naming import parse
from numformats.rounding import find
from numformats.torch.simulation.active import run_under, running
from numformats.torch.simulation.audit import Audit
from numformats.torch.simulation.carried import Simulated
from numformats.torch.simulation.checkpoints import watch_checkpoints
from numformats.torch.simulation.hooks import module_hooks, optimizer_hooks
from numformats.torch.simulation.interception import Interception
from numformats.torch.simulation.places import Places, PlacesNow, Policy, paths
from numformats.torch.simulation.report import Report
from numformats.torch.simulation.rules import Rules, accelerator_of
from numformats.torch.simulation.run import Run

LARGEST = (1 << 64) - 1


class Moment(NamedTuple):
    """Where a simulation stands: which modules run, and how often call sites were called."""

    places: PlacesNow
    calls: dict[tuple[str, str], int]


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
        self.rounding = elementwise_rounding
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
        watch_checkpoints()
        with ExitStack() as stack:
            audit = stack.enter_context(Audit(self._run, self._places))
            mode = Interception(self._run, self._places, audit, self.rounding)
            stack.enter_context(mode)
            for handle in (
                *module_hooks(self._places, lambda: running() is self),
                *optimizer_hooks(mode),
            ):
                stack.callback(handle.remove)
            run_under(self)
            stack.callback(run_under, None)
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
        model.forward = Simulated(self, model)
        model.simulation = self  # type: ignore[assignment]

    def remove(self) -> None:
        """Let the model compute by itself again."""
        model = self._model
        if model is None:
            raise ValueError("no model is attached; a context ends by itself")
        carried = vars(model).get("forward")
        if not isinstance(carried, Simulated) or carried.simulation is not self:
            raise RuntimeError(
                "model.forward was replaced after simulate(model, ...); undo that first"
            )
        del model.forward, model.simulation
        if carried.inner is not None:
            model.forward = carried.inner
        self._model = None

    @contextmanager
    def during(self, model: nn.Module) -> Iterator[None]:
        """Run a call of ``model`` under this simulation; calls inside it are part of it."""
        if running() is self:
            yield
            return
        with self:
            self._places.enter(model)
            yield

    def stop(self) -> None:
        """Neither intercept nor count from now on."""
        self._run.deepen(1)

    def moment(self) -> Moment:
        """Where the simulation stands."""
        return Moment(self._places.now(), dict(self._run.calls))

    @contextmanager
    def resumed(self, moment: Moment) -> Iterator[None]:
        """As at ``moment``, in or after the context."""
        with ExitStack() as stack:
            if not any(
                getattr(m, "run", 0) is self._run for m in _get_current_function_mode_stack()
            ):
                stack.enter_context(self)
            before = running(), self.moment()
            try:
                run_under(self)  # autograd may compute in a thread of its own
                self._restore(moment)
                yield
            finally:
                run_under(before[0])
                self._restore(before[1])

    def _restore(self, moment: Moment) -> None:
        self._places.go(moment.places)
        self._run.calls = dict(moment.calls)


def _refuse_nesting(new: Simulation) -> None:
    now = running()
    if now is new:
        raise RuntimeError("this simulation is entered already; leave it first")
    if now is not None:
        raise RuntimeError(
            f"a simulation on {now.accelerator.name} is running, and one cannot run inside "
            "another; leave it first, or give modules another accelerator by rules={'path': ...}"
        )
    if new._open is not None:
        raise RuntimeError(
            "this simulation is running in another thread; make one for every thread"
        )
