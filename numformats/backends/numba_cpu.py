"""The Numba CPU backend: emitted kernels, cached on disk."""

from numformats.backends.numba_chains import chains, plain
from numformats.backends.numba_dots import dots, scaled_dots, split
from numformats.backends.numba_kernels import PLAIN, SMALL, UNROLLED_BLOCKS, compiled
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
    low, lane = task.lowered, task.carrier.lane
    loop, large = "wrap" if task.wrapping else "quantize", task.x.size > SMALL
    run = compiled(loop, large, task.mode, task.carrier, _flags(task, large), task.encode)
    run(
        task.x,
        task.out,
        *task.words,
        task.first,
        lane.unsigned(task.spare),
        low.grid,
        task.codes,
        *(task.wrapping.limits(lane) if task.wrapping else ()),
    )


def _flags(task: ScalarTask, large: bool) -> Flags:
    """More kernels a mode are worth their compile time only where speed is wanted most."""
    low = task.lowered
    if large and task.carrier.name == "float32" and not (task.wrapping or task.encode):
        return Flags(low.needs, low.mirrored, low.saturating)
    return Flags(low.general)


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    lane, (a, n1, b, n2, c) = task.carrier.lane, task.geometry.shape
    large, tile = task.x.size > SMALL, task.geometry.tile[1]
    common = (
        *task.words,
        task.first,
        lane.unsigned(task.spare),
        task.lowered.grid,
        task.lowered.general,
        task.codes,
        task.scale,
    )
    shape: tuple[int, ...] = task.geometry.shape
    counts = task.geometry.scales_shape if task.encode else (1, 1, 1, 1, 1)
    if n1 == b == c == 1:
        block = tile if large and tile in UNROLLED_BLOCKS else 0
        fast = block and task.carrier.name == "float32" and not task.encode
        flags = Flags(mirrored=task.lowered.mirrored) if fast else PLAIN
        run = compiled("rows", large, task.mode, task.carrier, flags, task.encode, block)
        scales = task.scales.reshape(counts[0], counts[3])
        run(task.x.reshape(a, n2), task.out.reshape(a, n2), scales, *common, tile)
    else:
        run = compiled("tiles", large, task.mode, task.carrier, PLAIN, task.encode)
        scales = task.scales.reshape(counts)
        sizes = task.geometry.tile
        run(task.x.reshape(shape), task.out.reshape(shape), scales, *common, *sizes)
