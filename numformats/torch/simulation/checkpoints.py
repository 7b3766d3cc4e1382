"""Activation checkpoints are computed again under the simulation that they were computed under.

torch computes a checkpoint again wherever ``backward()`` is called, and has no hook for what to
enter there. So its two kinds of checkpoints are told once, in its own module, what they call.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from torch.utils import checkpoint as torchs

from numformats.torch.simulation.active import running


class Again:
    """A function that is computed again as at the moment when this was made."""

    def __init__(self, function: Callable[..., Any], simulation: Any) -> None:
        self.function, self.simulation, self.moment = function, simulation, simulation.moment()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The same call sites, with the same draws."""
        with self.simulation.resumed(self.moment):
            return self.function(*args, **kwargs)


def _generator() -> str:
    """What torch calls with each checkpoint that is not reentrant, and its function first."""
    name = "_checkpoint_without_reentrant_generator"
    return f"{name}_impl" if hasattr(torchs, f"{name}_impl") else name  # since torch 2.14


@cache
def watch_checkpoints() -> None:
    """From now on checkpoints that are made under a simulation end under it."""
    reentrant = torchs.CheckpointFunction
    forward, generator = reentrant.forward, getattr(torchs, _generator())

    def outer_forward(ctx: Any, run_function: Any, *args: Any) -> Any:
        again = None if running() is None else Again(run_function, running())
        result = forward(ctx, run_function, *args)
        ctx.run_function = again or run_function
        return result

    def outer_generator(fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Its ``fn`` is called only to compute again."""
        simulation = running()
        return generator(fn if simulation is None else Again(fn, simulation), *args, **kwargs)

    reentrant.forward = staticmethod(outer_forward)  # type: ignore[method-assign]
    setattr(torchs, _generator(), outer_generator)
