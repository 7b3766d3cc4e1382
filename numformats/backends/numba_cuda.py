"""The Numba CUDA backend: the core texts as device functions of emitted kernels.

Arrays are device arrays of the current device (anything with ``__cuda_array_interface__``); under
``NUMBA_ENABLE_CUDASIM=1`` the kernels run in the simulator, on host arrays too.
"""

import numpy as np

from numformats.backends.cuda_launch import tiling_of
from numformats.backends.numba_cuda_chains import chains, plain
from numformats.backends.numba_cuda_dots import dots, scaled_dots
from numformats.backends.numba_cuda_launch import compiled, in_rows, launch
from numformats.backends.numba_cuda_launch import zeros as zeroed
from numformats.backends.numba_cuda_reading import (
    add,
    cast,
    clear,
    empty,
    factors,
    read,
    read_integers,
    seen,
    split,
    wrap_integers,
    zeros,
)
from numformats.backends.numba_cuda_real import (
    block_draws,
    decode,
    draws,
    langevin,
    normals,
    scaled,
    words,
)
from numformats.backends.numba_cuda_underdamped import underdamped
from numformats.backends.task import BlockTask, ScalarTask

__all__ = [
    "add", "block_draws", "blocks", "cast", "chains", "clear", "decode", "dots", "draws", "empty",
    "factors", "langevin", "normals", "plain", "read", "read_integers", "scalar", "scaled",
    "scaled_dots", "seen", "split", "underdamped", "words", "wrap_integers", "zeros",
]  # fmt: skip


def scalar(task: ScalarTask) -> None:
    """Round (or encode) every element of a flat array."""
    rule, low, lane = task.rule, task.rule.lowered, task.rule.carrier.lane
    loop = "wrap" if rule.wrapping else "quantize"
    kernel = compiled(loop, rule.mode, rule.carrier, low.general, low.plain_inf, task.encode)
    more = rule.wrapping.limits(lane) if rule.wrapping else ()
    stream = (*task.words, np.uint64(task.first), lane.unsigned(task.spare))
    given = (task.x, task.out, *stream, low.grid, rule.codes, *more)
    launch(kernel, -(-task.x.size // 2), task.x, *given)  # two elements a turn


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    rule, lane = task.rule, task.rule.carrier.lane
    how = (
        *task.words, np.uint64(task.first), lane.unsigned(task.spare), rule.lowered.grid,
        rule.codes, rule.scale,
    )  # fmt: skip
    choices = {"general": rule.lowered.general, "encode": task.encode}
    if in_rows(task.geometry):
        size = task.geometry.tile[1]
        kernel = compiled("rows", rule.mode, rule.carrier, block=size, **choices)
        launch(kernel, task.x.size // 4, task.x, task.x, task.out, task.scales, *how)
        return
    amax, tiling = zeroed(task.geometry.blocks, lane.unsigned, task.x), tiling_of(task.geometry)
    launch(compiled("maxima", carrier=rule.carrier), task.x.size, task.x, task.x, amax, *tiling)
    kernel = compiled("tiles", rule.mode, rule.carrier, **choices)
    launch(kernel, task.x.size, task.x, task.x, task.out, task.scales, amax, *how, *tiling)
