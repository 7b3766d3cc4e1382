"""What a sampler keeps for one parameter, before the first step and after each."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import torch

import numformats as nf
from samplers.precision import Precision, saturated
from samplers.steps import Draw, quantize

NUMBERS = ("deficit", "saturated", "velocity_scale")


@torch.no_grad()
def initialise(param: torch.Tensor, precision: Precision) -> dict[str, Any]:
    """The state of a parameter before its first step; quantizes the parameter to nearest.

    ``accumulator`` is there only where it differs from what the parameter holds; ``moved`` marks
    the weights of a low-precision accumulator that have changed, ``still`` counted the others when
    it was last looked. ``deficit`` and ``saturated`` of CUDA tensors are added up there.
    """
    state: dict[str, Any] = {"step": 0, "drawn": 0, "deficit": 0, "saturated": 0, "still": 0}
    wide = param.detach().to(widened(param.dtype), copy=True)
    if precision.accumulator == "full" and (
        precision.weight is not None or wide.dtype != param.dtype
    ):
        state["accumulator"] = wide
    if precision.weight is not None:
        param.copy_(rounded(wide, precision))
        state["saturated"] = saturated(wide, precision.weight)
        state["drawn"] = param.numel()
    if precision.accumulator != "full":
        state["moved"] = torch.zeros_like(param, dtype=torch.bool)
        state["still"] = param.numel()
    return state


def rounded(wide: torch.Tensor, precision: Precision) -> torch.Tensor:
    """What a parameter holds at first: its accumulator to nearest."""
    return quantize(wide, precision.weight, "nearest_even", nf.Key(0))


def current(param: torch.Tensor, state: dict[str, Any]) -> torch.Tensor:
    """The accumulator, float32 or float64."""
    found = state.get("accumulator")
    return param.detach().to(widened(param.dtype)) if found is None else found


def take_over(param: torch.Tensor, state: dict[str, Any], draw: Draw) -> None:
    """Write a step's outcome into the parameter and its state."""
    if state["still"]:
        state["moved"] |= draw.seen != param
        if state["step"] & (state["step"] + 1) == 0:  # seldom, since it waits for devices
            state["still"] = still(state)
    if "accumulator" in state:
        state["accumulator"] = draw.stored
    param.copy_(draw.seen)
    state["step"] += 1
    state["drawn"] += draw.values * param.numel()
    state["deficit"] += draw.deficit
    state["saturated"] += draw.saturated
    state.update(draw.carried or {})


def still(state: dict[str, Any]) -> int:
    """How many weights of a low-precision accumulator have never changed."""
    moved = state.get("moved")
    return 0 if moved is None else moved.numel() - int(moved.count_nonzero())


def plain(state: dict[str, Any]) -> dict[str, Any]:
    """``state`` with its numbers as Python's, also those that CUDA tensors hold."""
    read = {n: state[n].item() for n in NUMBERS if isinstance(state.get(n), torch.Tensor)}
    return {**state, **read}


@contextlib.contextmanager
def widening(states: list[tuple[torch.Tensor, dict[str, Any]]]) -> Iterator[None]:
    """Inside the context the parameters hold their accumulators, in the parameters' dtype."""
    wide = [(param, state["accumulator"]) for param, state in states if "accumulator" in state]
    kept = [(param, param.detach().clone()) for param, _ in wide]
    with torch.no_grad():
        for param, held in wide:
            param.copy_(held)
    try:
        yield
    finally:
        with torch.no_grad():
            for param, seen in kept:
                param.copy_(seen)


@functools.lru_cache(maxsize=4096)
def parameter_key(seed: int, chain: int, index: int) -> nf.Key:
    """The key of a parameter; folded with the step it gives that of all random bits of the step."""
    return nf.Key(seed).fold(chain).fold(index)


def widened(dtype: torch.dtype) -> torch.dtype:
    """The dtype of an accumulator beside a parameter of ``dtype``."""
    return torch.float64 if dtype == torch.float64 else torch.float32
