"""What a sampler's arithmetic could not do, counted over its parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from samplers.state import still


class Counters(NamedTuple):
    """Values (weights, and velocities in few bits) drawn so far, and the shares of them that missed
    their variance or their range;
    ``stuck`` is the share of the weights of low-precision accumulators that have never moved."""

    drawn: int
    deficit: float
    saturated: float
    stuck: float


def count(states: Iterable[dict[str, Any]]) -> Counters:
    """The counters of all parameters together."""
    held = list(states)
    drawn = sum(state["drawn"] for state in held)
    watched = sum(state["moved"].numel() for state in held if "moved" in state)
    stuck = sum(still(state) for state in held if state["still"])
    deficit, saturated = (sum(int(s[name]) for s in held) for name in ("deficit", "saturated"))
    draws, weights = max(drawn, 1), max(watched, 1)
    return Counters(drawn, deficit / draws, saturated / draws, stuck / weights)


def reset(state: dict[str, Any]) -> None:
    """Count a parameter anew."""
    state |= {"drawn": 0, "deficit": 0, "saturated": 0}
    if "moved" in state:
        state["moved"].zero_()
        state["still"] = state["moved"].numel()
