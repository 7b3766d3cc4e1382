"""The reference backend's Langevin step: the public verbs' texts one after the other on whole NumPy
arrays."""

from typing import Any

import numpy as np

from numformats.backends.reference_text import random_words, texts
from numformats.backends.task import DrawTask, LangevinTask
from numformats.core import draw, langevin
from numformats.lanes import CARRIERS, LANE32
from numformats.lowering import Lowered
from numformats.rounding import Mode

_SINGLE = CARRIERS["float32"]


def rounded(mode: Mode, x: Any, low: Lowered, key: tuple[Any, Any]) -> Any:
    """Float32 ``x`` on the grid ``low``."""
    text, rand = texts(mode, _SINGLE), np.zeros(x.size, np.uint32)
    if mode.stochastic:
        rand = random_words(key, 0, x.size, LANE32)
    bits = text.round_bits(x.view(np.uint32), rand, np.uint32(0), low.grid, low.general, False)
    return bits.view(np.float32)


@np.errstate(all="ignore")
def langevin_step(task: LangevinTask, draws: Any) -> None:
    """One Langevin step. ``draws`` is the backend's own."""
    k, flags, descent = task.keys, task.flags, task.grad
    if "GRADIENT" in flags:
        descent = rounded(task.mode, descent, task.gradient, k.gradient)
    mean = langevin.drift(task.theta, descent, task.lr, task.decay, "DECAYS" in flags)
    if "DRAWN" in flags:
        variance = np.array([task.variance])
        given = (k.weight, k.other, k.first, task.draw, task.counts)
        draws(DrawTask(mean, variance, task.seen, *given, short=task.short))
        return
    if "NOISY" in flags:
        mean = langevin.diffuse(mean, task.sigma, random_words(k.noise, k.first, mean.size, LANE32))
    if "WEIGHT" not in flags:
        task.stored[...] = mean
        return
    if "KEEPS" in flags:
        task.stored[...] = mean
    task.seen[...] = rounded(task.mode, mean, task.weight, k.weight)
    task.counts[1] += np.count_nonzero(draw.outside(mean, task.low, task.high))
