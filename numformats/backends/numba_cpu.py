"""The Numba CPU backend: emitted kernels, cached on disk."""

from numformats.backends.numba_chains import chains, plain
from numformats.backends.numba_dots import dots, scaled_dots, split
from numformats.backends.numba_kernels import SMALL, compiled, walk
from numformats.backends.numba_real import (
    block_draws,
    decode,
    draws,
    langevin,
    normals,
    scaled,
    words,
)
from numformats.backends.numba_text import Flags
from numformats.backends.numba_underdamped import underdamped
from numformats.backends.task import BlockTask, ScalarTask

__all__ = [
    "STORED_SHORT",
    "block_draws", "blocks", "chains", "decode", "dots", "draws", "langevin", "normals", "plain",
    "scalar", "scaled", "scaled_dots", "split", "underdamped", "words",
]  # fmt: skip
STORED_SHORT = True  # scaled tasks with a short form may hold stored bits


def scalar(task: ScalarTask) -> None:
    """Round (or encode) every element of a flat array."""
    rule, large = task.rule, task.x.size > SMALL
    lane, loop = rule.carrier.lane, "wrap" if rule.wrapping else "quantize"
    run = compiled(loop, large, rule.mode, rule.carrier, _flags(task, large), task.encode)
    run(
        task.x,
        task.out,
        *task.words,
        task.first,
        lane.unsigned(task.spare),
        rule.lowered.grid,
        rule.codes,
        *(rule.wrapping.limits(lane) if rule.wrapping else ()),
    )


def _flags(task: ScalarTask, large: bool) -> Flags:
    """More kernels a mode are worth their compile time only where speed is wanted most."""
    rule, low = task.rule, task.rule.lowered
    if large and rule.carrier.name == "float32" and not (rule.wrapping or task.encode):
        return Flags(low.needs, low.mirrored, low.saturating)
    return Flags(low.general)


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    large, rule, low = task.x.size > SMALL, task.rule, task.rule.lowered
    loop, block, across, tiling = walk(task.geometry, large)
    fast = block and rule.carrier.name == "float32" and not task.encode
    flags = Flags(mirrored=bool(fast) and low.mirrored, across=across)
    kernel = compiled(loop, large, rule.mode, rule.carrier, flags, task.encode, block)
    stream = (*task.words, task.first, rule.carrier.lane.unsigned(task.spare))
    how = (low.general, rule.scale, low.grid, rule.codes)
    kernel(task.x, task.out, task.scales, *stream, *how, *tiling)
