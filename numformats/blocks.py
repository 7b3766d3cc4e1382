"""Rounding in blocks: the largest magnitude of a block chooses its scale, then elements round on
the scaled grid.

Power-of-two scales (MX, classic block floating point) stay in integers: the block's grid is the
element's grid with its exponents shifted, so nothing is divided and nothing rounds twice. Other
scales are in ``scaled_blocks.py``.
"""

from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np

from numformats.arrays import Host, run_flat
from numformats.backends.task import BlockTask
from numformats.blocking import geometry
from numformats.core.scale import ScaleSpec
from numformats.formats import BlockFloat, FixedPoint
from numformats.lanes import Carrier, Lane
from numformats.lowering import code_spec, lower
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


def scale_spec(fmt: BlockFloat, lane: Lane) -> ScaleSpec:
    """What choosing a scale reads of ``fmt``, as scalars of the lane."""
    return ScaleSpec(
        element_emax=lane.signed(fmt.element_emax),
        threshold=lane.unsigned(_threshold(fmt, lane)),
        low=lane.signed(fmt.scale.low_exponent),
        high=lane.signed(fmt.scale.emax),
        low_code=lane.unsigned(fmt.scale.zero),
        nan_code=lane.unsigned(fmt.scale.nan_code if fmt.scale.has_nan else 0),
    )


def _threshold(fmt: BlockFloat, lane: Lane) -> int:
    """The aligned significand of amax above which the scale is one step larger than the floor."""
    element, full = fmt.element, 1 << lane.width
    if fmt.scale_rule == "floor":
        return full - 1
    if fmt.scale_rule == "ceil":
        return full >> 1
    if fmt.scale_rule == "rceil":
        top = _significand(Fraction(element.max))
        return top << lane.width - top.bit_length()
    if isinstance(element, FixedPoint):
        precision = element.word_bits - 1 - element.signed
    else:
        precision = element.man_bits
    return full - 1 - (1 << max(lane.width - 2 - precision, 0))


def _significand(value: Fraction) -> int:
    top = value.numerator
    return top >> (top & -top).bit_length() - 1


def block_task(
    x: Any,
    out: Any,
    scales: Any,
    shape: tuple[int, ...],
    carrier: Carrier,
    fmt: BlockFloat,
    wanted: Request,
    *,
    encode: bool,
) -> BlockTask:
    """The task of rounding the flat stored bits ``x`` of an array of ``shape`` in blocks."""
    return BlockTask(
        x=x,
        out=out,
        scales=scales,
        geometry=geometry(fmt, shape),
        carrier=carrier,
        lowered=lower(fmt.element, carrier, wanted.mode),
        codes=code_spec(fmt.element, carrier.lane),
        scale=scale_spec(fmt, carrier.lane),
        mode=wanted.mode,
        words=wanted.words,
        first=wanted.first,
        spare=wanted.spare,
        encode=encode,
    )


def quantize_blocks(
    source: Host, target: Any, fmt: BlockFloat, wanted: Request, module: Any
) -> None:
    """Round the array ``source`` into ``target`` (NumPy view) in blocks."""
    geometry(fmt, source.shape)
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
