"""Activation checkpoints are computed again under the simulation that they were computed under.

torch computes a checkpoint again wherever ``backward()`` is called, and has no hook for what to
enter there. So its two kinds of checkpoints are told once, in its own module, what they call.
"""

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch.utils import checkpoint as torchs

from numformats.torch.simulation.active import running

GENERATORS = (  # the first one since torch 2.14
    "_checkpoint_without_reentrant_generator_impl", "_checkpoint_without_reentrant_generator",
)  # fmt: skip


class Again:
    """A function that is computed again as at the moment when this was made."""

    def __init__(self, function: Callable[..., Any], simulation: Any) -> None:
        self.function, self.simulation, self.moment = function, simulation, simulation.moment()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The same call sites, with the same draws."""
        with self.simulation.resumed(self.moment):
            return self.function(*args, **kwargs)


def _generator() -> str | None:
    """What torch calls with each checkpoint that is not reentrant, and its function first."""
    return next((name for name in GENERATORS if hasattr(torchs, name)), None)


@cache
def watch_checkpoints() -> None:
    """From now on checkpoints that are made under a simulation end under it."""
    _watch_reentrant()
    name = _generator()
    if name is not None:
        _watch(name)
        return
    warnings.warn(
        f"torch {torch.__version__} is newer than what this version of numformats knows of its "
        "checkpoints: torch.utils.checkpoint with use_reentrant=False computes again in full "
        "precision, not under the simulation; use_reentrant=True is simulated",
        stacklevel=3,
    )


def _watch_reentrant() -> None:
    reentrant = torchs.CheckpointFunction
    forward = reentrant.forward

    def outer_forward(ctx: Any, run_function: Any, *args: Any) -> Any:
        again = None if running() is None else Again(run_function, running())
        result = forward(ctx, run_function, *args)
        ctx.run_function = again or run_function
        return result

    reentrant.forward = staticmethod(outer_forward)  # type: ignore[method-assign]


def _watch(name: str) -> None:
    generator = getattr(torchs, name)

    def outer_generator(fn: Any, *args: Any, **kwargs: Any) -> Any:
        """Its ``fn`` is called only to compute again."""
        simulation = running()
        return generator(fn if simulation is None else Again(fn, simulation), *args, **kwargs)

    setattr(torchs, name, outer_generator)
