"""The reference backend: the core texts run on NumPy arrays, or on Python integers."""

from typing import Any

import numpy as np

from numformats.backends.reference_chains import chains, plain
from numformats.backends.reference_dots import dots, scaled_dots, split
from numformats.backends.reference_langevin import langevin_step
from numformats.backends.reference_rounding import blocks, scalar
from numformats.backends.reference_scaled import block_draws, decode, scaled
from numformats.backends.reference_text import random_words
from numformats.backends.reference_underdamped import underdamped_step
from numformats.backends.task import DrawTask, LangevinTask
from numformats.backends.underdamped_task import UnderdampedTask
from numformats.core import deviate, draw, normal, short_draw
from numformats.lanes import LANE32, LANE64

__all__ = [
    "block_draws", "blocks", "chains", "decode", "dots", "draws", "langevin", "normals", "plain",
    "scalar", "scaled", "scaled_dots", "split", "underdamped", "words",
]  # fmt: skip


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards."""
    out[...] = random_words(key, first, out.size, LANE32 if out.dtype == np.uint32 else LANE64)


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    text = deviate.deviate if out.dtype == np.float32 else normal.normal
    out[...] = text(random_words(key, first, out.size, LANE32))


@np.errstate(all="ignore")
def draws(task: DrawTask) -> None:
    """Variance-corrected draws."""
    mean, variance = task.mean.astype(np.float64), task.variance.astype(np.float64)
    one, two = (random_words(k, task.first, mean.size, LANE32) for k in (task.key, task.other_key))
    if task.short:
        free, short = short_draw.short_draw(task.mean, one, two, task.short)
    else:
        free, short = draw.draw(mean, variance, np.sqrt(variance), one, two, task.grid)
    if task.own:
        unit, *limits = task.own
        own = short_draw.short_variance(task.variance)
        law, served = short_draw.with_variance(own, unit), short_draw.is_short(own, *limits)
        single, forced = short_draw.short_draw(task.mean, one, two, law)
        free, short = np.where(served, single, free), np.where(served, forced, short)
    free, ends = free.astype(task.out.dtype), (task.grid.smallest, task.grid.largest)
    task.out[...] = draw.limit(free, *ends, np.nan)
    over = draw.outside(free, *ends)
    task.counts[:] += np.count_nonzero(short), np.count_nonzero(over)


def langevin(task: LangevinTask) -> None:
    """One Langevin step."""
    langevin_step(task, draws)


def underdamped(task: UnderdampedTask) -> None:
    """One underdamped step."""
    underdamped_step(task, draws)
