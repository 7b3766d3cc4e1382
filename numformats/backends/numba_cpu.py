"""The Numba CPU backend: emitted kernels, cached on disk."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numba
import numpy as np

from numformats.backends.chain_task import ChainTask, PlainTask
from numformats.backends.dot_task import DotTask, ScaledDotTask, SplitTask
from numformats.backends.emitted import emit, load
from numformats.backends.numba_text import (
    CHUNKS,
    Flags,
    draw_text,
    kernel_text,
    lane_text,
    mode_text,
    scale_text,
)
from numformats.backends.task import BlockTask, DrawTask, ScalarTask
from numformats.lanes import CARRIERS, Carrier
from numformats.rounding import MODES, Mode

Kernel = Callable[..., None]
SMALL = 1 << 15  # elements
UNROLLED_BLOCKS = (16, 32)  # block sizes compiled as constants
_ANY_MODE, _PLAIN = MODES["stochastic"], Flags()  # for kernels that round nothing


def _module(label: str, imports: tuple[str, ...], text: str) -> str:
    return emit(label, imports, text, str(numba.__version__))


@cache
def _compiled(
    loop: str,
    large: bool,
    mode: Mode = _ANY_MODE,
    carrier: Carrier = CARRIERS["float32"],
    flags: Flags = _PLAIN,
    encode: bool = False,
    block: int = 0,
) -> Kernel:
    """The kernel for ``large`` arrays, which shares the work between threads, or for others, where
    waking threads costs more than it saves; that form compiles in half the time."""
    lane = _module(f"lane{carrier.lane.width}", (), lane_text(carrier.lane))
    imports = [lane, _module(f"mode_{mode.name}", (lane,), mode_text(mode))]
    if loop in ("rows", "tiles"):
        imports.append(_module(f"scale_{carrier.name}", (lane,), scale_text(carrier)))
    if loop in ("normals", "draws"):
        imports.append(_module("draw", (lane,), draw_text()))
    text = kernel_text(loop, mode, carrier, flags, encode, block, parallel=large)
    name = _module(f"{loop}_{mode.name}_{carrier.name}", tuple(imports), text)
    compiled: Kernel = load(name).kernel
    return compiled


def scalar(task: ScalarTask) -> None:
    """Round (or encode) every element of a flat array."""
    low, lane = task.lowered, task.carrier.lane
    loop, large = "wrap" if task.wrapping else "quantize", task.x.size > SMALL
    run = _compiled(loop, large, task.mode, task.carrier, _flags(task, large), task.encode)
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
        return Flags(low.general, low.mirrored, low.saturating)
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
        flags = Flags(mirrored=task.lowered.mirrored) if fast else _PLAIN
        run = _compiled("rows", large, task.mode, task.carrier, flags, task.encode, block)
        scales = task.scales.reshape(counts[0], counts[3])
        run(task.x.reshape(a, n2), task.out.reshape(a, n2), scales, *common, tile)
    else:
        run = _compiled("tiles", large, task.mode, task.carrier, _PLAIN, task.encode)
        scales = task.scales.reshape(counts)
        sizes = task.geometry.tile
        run(task.x.reshape(shape), task.out.reshape(shape), scales, *common, *sizes)


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards (uint32: 32-bit lanes, uint64: 64-bit lanes)."""
    carrier = CARRIERS["float32" if out.dtype == np.uint32 else "float64"]
    _compiled("words", out.size > SMALL, carrier=carrier)(out, *key, first)


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    _compiled("normals", out.size > SMALL)(out, *key, first)


def draws(task: DrawTask) -> tuple[int, int]:
    """Variance-corrected draws; the numbers of elements with too much variance and beyond the
    range."""
    counts = np.zeros((-(-task.mean.size // CHUNKS["draws"]), 2), np.int64)
    keys, run = (*task.key, *task.other_key), _compiled("draws", task.mean.size > SMALL)
    run(task.mean, task.variance, task.out, *keys, task.first, task.grid, counts)
    short, beyond = counts.sum(axis=0)
    return int(short), int(beyond)


def split(task: SplitTask) -> int:
    """Split the operand of a matrix product; the join of all kinds."""
    from numformats.backends import numba_dots

    return numba_dots.split(task)


def dots(task: DotTask) -> None:
    """Fused dot products."""
    from numformats.backends import numba_dots

    numba_dots.dots(task)


def chains(task: ChainTask) -> None:
    """Accumulations that are rounded step by step."""
    from numformats.backends import numba_chains

    numba_chains.chains(task)


def plain(task: PlainTask) -> None:
    """Accumulations with one fixed rule."""
    from numformats.backends import numba_chains

    numba_chains.plain(task)


def scaled_dots(task: ScaledDotTask) -> None:
    """Exact sums of groups, scaled, aligned and added."""
    from numformats.backends import numba_dots

    numba_dots.scaled_dots(task)
