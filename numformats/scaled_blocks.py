"""Blocks whose scales are not powers of two (NVFP4), with or without a second scale for the whole
array.

Scale of a block: amax / (element.max * tensor_scale), rounded into the scale format. Elements:
x / (scale * tensor_scale), rounded to the element format. Both quotients are formed in float64
(``core/scaled.py``).
"""

from typing import Any

import numpy as np

from numformats.arrays import Host
from numformats.block_tasks import scaled_task
from numformats.formats import BlockFloat
from numformats.halves import place_for, put, reals
from numformats.request import Request


def quantize_scaled(
    source: Host, target: Any, fmt: BlockFloat, wanted: Request, module: Any
) -> None:
    """Round the array ``source`` into ``target`` (NumPy view) in blocks with scales of
    ``fmt.scale``."""
    if source.view.size == 0:
        return
    x = reals(source)
    out = place_for(target, x, source)
    nothing = np.empty(1, np.uint8)
    module.scaled(scaled_task(x, out, nothing, source.shape, fmt, wanted, encode=False))
    if not np.may_share_memory(out, target):
        put(target, out, source)


def encode_scaled(
    source: Host, fmt: BlockFloat, wanted: Request, module: Any, codes: Any, scales: Any
) -> float:
    """Fill ``codes`` and ``scales`` (flat); returns the tensor scale."""
    if source.view.size == 0:
        return 1.0
    task = scaled_task(reals(source), codes, scales, source.shape, fmt, wanted, encode=True)
    return float(module.scaled(task))
