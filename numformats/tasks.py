"""What the verbs ask of a backend, made from a format and a request."""

from fractions import Fraction
from typing import Any

import numpy as np

from numformats.backends.task import BlockTask, ScalarTask, Wrapping
from numformats.blocking import geometry
from numformats.core.draw import DrawGrid
from numformats.core.scale import ScaleSpec
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import Carrier, Lane, exponent
from numformats.lowering import code_spec, lower
from numformats.request import Request
from numformats.rounding import find


def code_dtype(bits: int) -> Any:
    """The smallest unsigned dtype for codes of ``bits`` bits."""
    return np.dtype(f"uint{next(n for n in (8, 16, 32, 64) if bits <= n)}")


def fits(fmt: FixedPoint | Float, lane: Lane) -> bool:
    """Whether the lane holds every code, and its carrier every finite value, of ``fmt`` exactly."""
    low = -fmt.frac_bits if isinstance(fmt, FixedPoint) else fmt.low_exponent
    precise = fmt.max_code.bit_length() if isinstance(fmt, FixedPoint) else fmt.man_bits + 1
    top = exponent(max(Fraction(fmt.max), -Fraction(fmt.min)))
    smallest = 1 - lane.bias - lane.sig_bits
    return (
        fmt.bits <= lane.width
        and top <= lane.bias
        and precise <= lane.sig_bits + 1
        and low >= smallest
    )


def scalar_task(
    x: Any, out: Any, carrier: Carrier, fmt: FixedPoint | Float, wanted: Request, *, encode: bool
) -> ScalarTask:
    """The task of rounding the flat stored bits ``x`` into ``out``."""
    return ScalarTask(
        x=x,
        out=out,
        carrier=carrier,
        lowered=lower(fmt, carrier, wanted.mode),
        codes=code_spec(fmt, carrier.lane),
        mode=wanted.mode,
        words=wanted.words,
        first=wanted.first,
        spare=wanted.spare,
        encode=encode,
        wrapping=_wrapping(fmt, carrier),
    )


def _wrapping(fmt: FixedPoint | Float, carrier: Carrier) -> Wrapping | None:
    if not isinstance(fmt, FixedPoint) or fmt.overflow != "wrap":
        return None
    top = fmt.word_bits - fmt.signed - fmt.frac_bits
    if top > carrier.emax + (not fmt.signed) or (
        not fmt.signed and fmt.word_bits > carrier.sig_bits + 1
    ):
        raise ValueError(
            f"{fmt} wraps to values that {carrier.name} cannot hold; give x in a wider dtype, for "
            "example numpy.float64"
        )
    word = (1 << fmt.word_bits) - 1
    return Wrapping(word, (word + 1) // 2 * fmt.signed, -fmt.frac_bits)


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


def check_drawable(fmt: Format) -> None:
    """Refuse formats in which no draw keeps its mean."""
    if isinstance(fmt, FixedPoint) and fmt.overflow == "wrap":
        raise ValueError(f"{fmt} wraps around, so no draw keeps its mean; use overflow='saturate'")
    if isinstance(fmt, Float) and not fmt.zero:
        raise ValueError(
            f"{fmt} has no zero and is no format for drawn values; use a signed format"
        )


def draw_grid(fmt: FixedPoint | Float, carrier: Carrier) -> DrawGrid:
    """``fmt`` as the draw sees it, limited to what the carrier holds."""
    grid, lane = lower(fmt, carrier, find("toward_zero")).grid, carrier.lane
    largest, smallest = (
        float(lane.unsigned(bits).view(lane.real)) for bits in (grid.max_pos, grid.max_neg)
    )
    man_bits = -1 if isinstance(fmt, FixedPoint) else fmt.man_bits
    return DrawGrid(
        np.int64(man_bits), np.float64(fmt.smallest), np.float64(largest), np.float64(-smallest)
    )
