"""What the verbs ask of a backend for block formats, made from a format and a request."""

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from numformats.backends.task import (
    BlockDrawTask,
    BlockTask,
    DecodeTask,
    DrawTask,
    Levels,
    Rule,
    ScaledTask,
    Short,
)
from numformats.blocking import geometry
from numformats.core.block_draw import ShortBlocks
from numformats.core.scale import ScaleSpec
from numformats.core.scaled import LevelSpec
from numformats.draw_grids import short_draw_in_blocks
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import CARRIERS, LANE32, LANE64, Carrier, Lane, name_of
from numformats.lowering import code_spec, decode_spec, low_exponent, lower
from numformats.request import Request
from numformats.rounding import Mode, find
from numformats.short_blocks import saturating, short

_SCALE_ROUNDING = {
    "floor": "toward_zero",
    "even": "nearest_even",
    "ceil": "toward_positive",
    "rceil": "toward_positive",
}
_DOUBLE = CARRIERS["float64"]
_CENTRE = 64  # exponents of elements that every lane holds as they are, with room for their bits


@lru_cache(maxsize=4096)
def centred(fmt: BlockFloat) -> tuple[FixedPoint | Float, int]:
    """Elements as every lane can hold them, and the power of two that they were divided by, which
    scales make good."""
    element, shift = fmt.element, fmt.element_emax
    if shift < _CENTRE and low_exponent(element) > -_CENTRE:
        return element, 0
    if isinstance(element, FixedPoint):
        return replace(element, frac_bits=element.frac_bits + shift), shift
    return replace(element, bias=element.exponent_bias + shift), shift


@lru_cache(maxsize=4096)
def scale_spec(fmt: BlockFloat, lane: Lane, shift: int = 0) -> ScaleSpec:
    """What choosing a scale reads of ``fmt``, as scalars of the lane; of elements divided by two to
    the ``shift``."""
    return ScaleSpec(
        element_emax=lane.signed(fmt.element_emax - shift),
        threshold=lane.unsigned(_threshold(fmt, lane)),
        low=lane.signed(fmt.scale.low_exponent + shift),
        high=lane.signed(fmt.scale.emax + shift),
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
        spare = lane.width - top.bit_length()
        return top << spare if spare >= 0 else top >> -spare
    if isinstance(element, FixedPoint):
        precision = element.word_bits - 1 - element.signed
    else:
        precision = element.man_bits
    return full - 1 - (1 << max(lane.width - 2 - precision, 0))


def _significand(value: Fraction) -> int:
    top = value.numerator or 1
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
    """The task of rounding the flat stored bits ``x`` of an array of ``shape`` in blocks; codes
    reach the format's own maximum, values that of the carrier."""
    rule, g = _rule(fmt, carrier, wanted.mode, encode), geometry(fmt, shape)
    return BlockTask(x, out, scales, g, rule, wanted.words, wanted.first, wanted.spare, encode)


@lru_cache(maxsize=4096)
def _rule(fmt: BlockFloat, carrier: Carrier, mode: Mode, encode: bool) -> Rule:
    (element, shift), whole = centred(fmt), carrier.whole_lane()
    return Rule(
        carrier=whole if encode else carrier,
        lowered=lower(element, whole, mode),
        codes=code_spec(element, carrier.lane),
        mode=mode,
        scale=scale_spec(fmt, carrier.lane, shift),
    )


def rounding_lane(fmt: Format, carrier: Carrier, rounding: str) -> Lane:
    """The lane whose random words elements of ``fmt`` take: that of their quotients by float
    scales, where these are."""
    if isinstance(fmt, BlockFloat) and not fmt.power_of_two_scale:
        return LANE32 if short_form(fmt, find(rounding), carrier) else LANE64
    return carrier.lane


@lru_cache(maxsize=4096)
def levels(fmt: BlockFloat) -> Levels:
    """How the scales of ``fmt`` are chosen over reals."""
    mode, scale = find(_SCALE_ROUNDING[fmt.scale_rule]), saturating(fmt.scale)
    top = float(fmt.element.max)
    limit = float(fmt.scale.exact_max) * top if fmt.tensor_scale else 0.0
    return Levels(
        power=scale_spec(fmt, LANE64),
        is_power=fmt.power_of_two_scale,
        lowered=lower(scale, _DOUBLE, mode),
        mode=mode,
        codes=code_spec(fmt.scale, LANE64),
        spec=LevelSpec(np.float64(top), np.float64(limit)),
    )


def short_form(fmt: BlockFloat, mode: Mode, carrier: Carrier) -> Short | None:
    """Blocks of ``fmt`` on ``carrier`` in the 32-bit lane, where they are rounded there."""
    return short(fmt, mode, find(_SCALE_ROUNDING[fmt.scale_rule]), carrier)


def scaled_task(
    x: Any,
    out: Any,
    scales: Any,
    shape: tuple[int, ...],
    fmt: BlockFloat,
    wanted: Request,
    *,
    encode: bool,
    carrier: Carrier | None = None,
) -> ScaledTask:
    """The task of rounding the flat reals ``x`` of an array of ``shape``, or stored bits of
    ``carrier``, in blocks with float scales."""
    carrier = carrier or CARRIERS[name_of(x.dtype)]
    element = saturating(fmt.element)
    return ScaledTask(
        x=x,
        out=out,
        scales=scales,
        geometry=geometry(fmt, shape),
        levels=levels(fmt),
        lowered=lower(element, _DOUBLE, wanted.mode),
        codes=code_spec(element, LANE64),
        mode=wanted.mode,
        words=wanted.words,
        first=wanted.first,
        spare=wanted.spare,
        encode=encode,
        short=short_form(fmt, wanted.mode, carrier),
        carrier=carrier,
        tensor_scale=wanted.tensor_scale,
    )


def block_draw_task(
    draw: DrawTask, shape: tuple[int, ...], fmt: BlockFloat, plain: bool
) -> BlockDrawTask:
    """The task of ``draw`` on the element grid of the blocks of an array of ``shape``; ``plain``:
    of float32 means with one variance."""
    spec, short = scale_spec(fmt, LANE32), None
    if plain and fmt.power_of_two_scale and -1022 <= spec.low <= spec.high <= 1023:
        short = short_draw_in_blocks(draw.grid, float(draw.variance[0]))
    blocks = ShortBlocks(short[0], spec, *short[1:]) if short else None
    return BlockDrawTask(draw, geometry(fmt, shape), levels(fmt), blocks)


def block_decode_task(
    codes: Any, out: Any, totals: Any, second: float, shape: tuple[int, ...], fmt: BlockFloat
) -> DecodeTask:
    """The task of decoding the flat element ``codes`` of an array of ``shape``, with the values of
    the scales and of the scale of the whole array."""
    spec = decode_spec(fmt.element, LANE64)
    return DecodeTask(codes, out, spec, geometry(fmt, shape), totals, second)
