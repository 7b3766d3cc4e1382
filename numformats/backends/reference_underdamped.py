"""The reference backend's underdamped step: the public verbs' texts one after the other on whole
NumPy arrays."""

from typing import Any

import numpy as np

from numformats.backends.reference_langevin import rounded
from numformats.backends.reference_text import random_words
from numformats.backends.task import DrawTask
from numformats.backends.underdamped_task import UnderdampedTask
from numformats.core import draw, langevin
from numformats.core import underdamped as texts
from numformats.core.lane import fused
from numformats.lanes import LANE32
from numformats.rounding import MODES


@np.errstate(all="ignore")
def underdamped_step(task: UnderdampedTask, draws: Any) -> None:
    """One step. ``draws`` is the backend's own."""
    _positions(task, draws)
    if task.few_bits:
        widest = _top(task.left) if "DRAWN" in task.flags else np.float32(0.0)
        scale = texts.velocity_scale(_top(task.moved), widest, task.largest, task.least)
        task.found.view(np.float64)[4] = scale
        _velocities(task, np.float32(scale), draws)


def _positions(task: UnderdampedTask, draws: Any) -> None:
    """Everything up to the velocity's scale."""
    mean = _means(task)
    if "DRAWN" in task.flags:
        keys, wanted = (task.keys.weight, task.keys.other), np.array([task.variance])
        given = (*keys, task.keys.first, task.draw, task.found[:2])
        draws(DrawTask(mean, wanted, task.seen, *given, short=task.short))
        _tie(task, mean)
        return
    if "NOISY" in task.flags:
        one, two = _words(task, task.keys.noise), _words(task, task.noise_key)
        s = task.scalars
        moved = langevin.diffuse(task.moved, s.shared, one)
        task.moved[...] = langevin.diffuse(moved, s.own, two)
        mean = langevin.diffuse(mean, s.std_x, one)
    if "KEEPS" in task.flags or "WEIGHT" not in task.flags:
        task.stored[...] = mean
    if "WEIGHT" in task.flags:
        task.seen[...] = rounded(task.mode, mean, task.weight, task.keys.weight)
        task.found[1] += np.count_nonzero(draw.outside(mean, task.low, task.high))


def _velocities(task: UnderdampedTask, unit: Any, draws: Any) -> None:
    """Round or draw the velocity in units of ``unit``."""
    key, other = task.velocity_keys
    parts = texts.in_units(task.moved, unit)
    if "DRAWN" in task.flags:
        given = (key, other, 0, task.draw, task.found[:2])
        wanted = texts.spread_in_units(task.left, unit)
        draws(DrawTask(parts, wanted, task.moved, *given, own=task.own))
    else:
        task.found[1] += np.count_nonzero(draw.outside(parts, task.low, task.high))
        task.moved[...] = rounded(task.mode, parts, task.weight, key)
    task.moved[...] = texts.from_units(task.moved, unit)


def _means(task: UnderdampedTask) -> Any:
    """The position's mean; that of the velocity is in ``moved`` then."""
    s, descent = task.scalars, task.grad
    if "GRADIENT" in task.flags:
        descent = rounded(task.mode, descent, task.gradient, task.keys.gradient)
    slope = langevin.slope_of(task.theta, descent, task.decay, "DECAYS" in task.flags)
    task.moved[...] = texts.kicked(task.velocity, slope, s.decay, s.kick_v)
    return texts.carried(task.theta, task.velocity, slope, s.drift, s.kick_x)


def _tie(task: UnderdampedTask, mean: Any) -> None:
    s = task.scalars
    if "FIXED" in task.flags:
        forced = texts.forced_in_gap(mean, s.per_gap, s.gap_area)
    else:
        nothing, modes = task.keys.weight, (MODES["toward_negative"], MODES["toward_positive"])
        near = (rounded(m, mean, g, nothing) for m, g in zip(modes, task.neighbours, strict=True))
        forced = texts.forced_between(mean, *near)
    share = texts.share_of(forced, s.var_x, s.cov)
    task.moved[...] = fused(share, task.seen - mean, task.moved)
    task.left[...] = texts.left_over(share, s.rest, s.var_v)


def _words(task: UnderdampedTask, key: tuple[Any, Any]) -> Any:
    return random_words(key, task.keys.first, task.theta.size, LANE32)


def _top(x: Any) -> Any:
    return np.abs(x).max(initial=0)
