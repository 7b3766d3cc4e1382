"""What the verbs ask of a backend, made from a format and a request."""

from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np

from numformats.backends.task import DecodeTask, Rule, ScalarTask, Wrapping
from numformats.formats import FixedPoint, Float
from numformats.lanes import LANE64, Carrier, Lane, exponent
from numformats.lowering import code_spec, decode_spec, lower
from numformats.request import Request, request
from numformats.rounding import Mode


def code_dtype(bits: int) -> Any:
    """The smallest unsigned dtype for codes of ``bits`` bits."""
    return np.dtype(f"uint{next(n for n in (8, 16, 32, 64) if bits <= n)}")


@lru_cache(maxsize=4096)
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
    """The task of rounding the flat stored bits ``x`` into ``out``; codes have the limits of the
    lane, values those of the carrier."""
    rule = _rule(fmt, carrier, wanted.mode, encode)
    return ScalarTask(x, out, rule, wanted.words, wanted.first, wanted.spare, encode)


@lru_cache(maxsize=4096)
def _rule(fmt: FixedPoint | Float, carrier: Carrier, mode: Mode, encode: bool) -> Rule:
    carrier = carrier.whole_lane() if encode else carrier
    codes, wrapping = code_spec(fmt, carrier.lane), _wrapping(fmt, carrier)
    return Rule(carrier, lower(fmt, carrier, mode), codes, mode, wrapping)


def round_in_place(module: Any, bits: Any, carrier: Carrier, fmt: FixedPoint | Float) -> None:
    """Round flat stored bits to nearest, ties to even, on the backend ``module``."""
    nearest = request("nearest_even", None, None, carrier.lane)
    module.scalar(scalar_task(bits, bits, carrier, fmt, nearest, encode=False))


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


def decode_task(codes: Any, out: Any, fmt: FixedPoint | Float) -> DecodeTask:
    """The task of decoding the flat ``codes``."""
    return DecodeTask(codes, out, decode_spec(fmt, LANE64))
