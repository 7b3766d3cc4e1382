"""Blocks whose scales are not powers of two (NVFP4), with or without a second scale for the whole
array.

Scale of a block: amax / (element.max * tensor_scale), rounded into the scale format. Elements:
x / (scale * tensor_scale), rounded to the element format. The quotients are those of float64
(``core/scaled.py``), or those of the 32-bit lane (``core/quotient.py``) where it serves.
"""

from typing import Any

import numpy as np

from numformats.arrays import Host
from numformats.block_tasks import scaled_task, short_form
from numformats.formats import BlockFloat
from numformats.halves import place_for, put, reals
from numformats.outputs import run_flat
from numformats.request import Request


def _stored(source: Host, fmt: BlockFloat, wanted: Request, module: Any) -> bool:
    """Whether ``module`` takes the array as it is stored."""
    takes = getattr(module, "STORED_SHORT", False)
    return takes and short_form(fmt, wanted.mode, source.carrier) is not None


def quantize_scaled(
    source: Host, target: Any, fmt: BlockFloat, wanted: Request, module: Any
) -> None:
    """Round the array ``source`` into ``target`` (NumPy view) in blocks with scales of
    ``fmt.scale``."""
    if source.view.size == 0:
        return
    nothing, given = np.empty(1, np.uint8), (source.shape, fmt, wanted)
    if _stored(source, fmt, wanted, module):

        def work(bits: Any, result: Any) -> None:
            places = (bits, result, nothing, *given)
            module.scaled(scaled_task(*places, encode=False, carrier=source.carrier))

        run_flat(source, target, True, work)
        return
    x = reals(source)
    out = place_for(target, x, source)
    module.scaled(scaled_task(x, out, nothing, *given, encode=False))
    if not np.may_share_memory(out, target):
        put(target, out, source)


def encode_scaled(
    source: Host, fmt: BlockFloat, wanted: Request, module: Any, codes: Any, scales: Any
) -> float:
    """Fill ``codes`` and ``scales`` (flat); returns the tensor scale."""
    if source.view.size == 0:
        return wanted.tensor_scale or 1.0
    carrier, given = source.carrier, (codes, scales, source.shape, fmt, wanted)
    if _stored(source, fmt, wanted, module):
        bits = np.ascontiguousarray(source.view).reshape(-1).view(carrier.stored)
        return float(module.scaled(scaled_task(bits, *given, encode=True, carrier=carrier)))
    return float(module.scaled(scaled_task(reals(source), *given, encode=True)))
