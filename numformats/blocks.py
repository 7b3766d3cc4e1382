"""Rounding in blocks: the largest magnitude of a block chooses its scale, then elements round on
the scaled grid.

Power-of-two scales (MX, classic block floating point) stay in integers: the block's grid is the
element's grid with its exponents shifted, so nothing is divided and nothing rounds twice. Other
scales are in ``scaled_blocks.py``.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from numformats.arrays import Host
from numformats.block_tasks import block_task
from numformats.blocking import geometry, is_served, moved
from numformats.formats import BlockFloat
from numformats.outputs import common_order, run_flat
from numformats.request import Request


class BlockCodes(NamedTuple):
    """Codes of a block format: element codes in the shape of the data, and one scale code a
    block.
    """

    codes: Any
    scales: Any


class ScaledBlockCodes(NamedTuple):
    """Codes of a two-level block format: as ``BlockCodes``, with the float32 scale of the whole
    array.
    """

    codes: Any
    scales: Any
    tensor_scale: float


def quantize_blocks(
    source: Host, target: Any, fmt: BlockFloat, wanted: Request, module: Any
) -> None:
    """Round the array ``source`` into ``target`` (NumPy view) in blocks."""
    geometry(fmt, source.shape)
    if not wanted.mode.stochastic:
        source, target, fmt = _along_memory(source, target, fmt)
    if not fmt.power_of_two_scale:
        from numformats.scaled_blocks import quantize_scaled

        quantize_scaled(source, target, fmt, wanted, module)
        return
    nothing = np.empty(1, np.uint8)

    def work(bits: Any, result: Any) -> None:
        module.blocks(
            block_task(
                bits, result, nothing, source.shape, source.carrier, fmt, wanted, encode=False
            )
        )

    run_flat(source, target, True, work)


def _along_memory(source: Host, target: Any, fmt: BlockFloat) -> tuple[Host, Any, BlockFloat]:
    """Both arrays, and the format, with axes as they follow each other in memory, where this saves
    copies."""
    x = source.view
    order = common_order(x, target)
    if order is None or x.flags["C_CONTIGUOUS"]:
        return source, target, fmt
    view = x.transpose(order)
    turned = moved(fmt, lambda axis: order.index(axis % x.ndim))
    if not is_served(turned, view.shape):
        return source, target, fmt
    return replace(source, view=view), target.transpose(order), turned
