"""Rounding as the specifications define it, in exact rationals, one number at a time.

Nothing here comes from ``numformats`` but the constructor fields of a format. Sources: IEEE
754-2019 section 4.3; OCP 8-bit Floating Point 1.0; IEEE P3109 interim report v4.0
(RoundToPrecision, then Saturate); two's complement for fixed point.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple

import numpy as np

DETERMINISTIC = (
    "nearest_even",
    "nearest_away",
    "nearest_up",
    "toward_zero",
    "toward_positive",
    "toward_negative",
    "to_odd",
)
STOCHASTIC = ("stochastic", "stochastic_a", "stochastic_b", "stochastic_c", "stochastic_odd")
CARRIERS = {"float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127), "float64": (52, 1023)}


class Step(NamedTuple):
    """The grid around a magnitude, as if the exponent had no upper bound."""

    lower: Fraction  #: largest grid magnitude not above it
    gap: Fraction  #: distance to the next grid magnitude
    odd: bool  #: whether the lower one's code is odd


class Coin(NamedTuple):
    """Random bits: ``word`` is uniform on ``[0, 2**bits)``."""

    word: int
    bits: int


@cache
def pow2(e: int) -> Fraction:
    """``2**e`` exactly."""
    return Fraction(2) ** e


def floor_log2(a: Fraction) -> int:
    """Exponent of the largest power of two not above ``a > 0``."""
    e = a.numerator.bit_length() - a.denominator.bit_length()
    return e if pow2(e) <= a else e - 1


def is_fixed(fmt: Any) -> bool:
    return hasattr(fmt, "frac_bits")


@cache
def bias_of(fmt: Any) -> int:
    """The exponent bias: the field, or the default of the format's family."""
    if fmt.bias is not None:
        return int(fmt.bias)
    half = 2 ** (fmt.exp_bits - 1)
    return half if fmt.specials in ("fnuz", "p3109", "p3109_finite") else half - 1


def has_inf(fmt: Any) -> bool:
    return not is_fixed(fmt) and fmt.specials in ("ieee", "p3109")


def has_nan(fmt: Any) -> bool:
    if is_fixed(fmt) or fmt.specials == "finite":
        return False
    return fmt.specials != "ieee" or fmt.man_bits > 0


@cache
def has_negative_zero(fmt: Any) -> bool:
    return (
        not is_fixed(fmt)
        and fmt.signed
        and fmt.zero
        and fmt.specials
        in (
            "ieee",
            "fn",
            "finite",
        )
    )


@cache
def magnitude(fmt: Any, code: int) -> Fraction:
    """The value of a float format's code without its sign bit."""
    field, trailing = code >> fmt.man_bits, code & ((1 << fmt.man_bits) - 1)
    fraction = Fraction(trailing, 1 << fmt.man_bits)
    if field > 0 or not fmt.zero:
        return (1 + fraction) * pow2(field - bias_of(fmt))
    return fraction * pow2(1 - bias_of(fmt)) if fmt.subnormals else Fraction(0)


@cache
def top_code(fmt: Any) -> int:
    """The code, without its sign bit, of the largest finite value."""
    every = (1 << (fmt.exp_bits + fmt.man_bits)) - 1
    above = {  # how many codes of each sign lie above the largest finite value
        "ieee": 1 << fmt.man_bits,
        "fn": 1,
        "fnuz": 0,
        "finite": 0,
        "p3109": 1 if fmt.signed else 2,
        "p3109_finite": 0 if fmt.signed else 1,
    }
    return every - above[fmt.specials]


@cache
def bounds(fmt: Any) -> tuple[Fraction, Fraction]:
    """The smallest and the largest finite value."""
    if is_fixed(fmt):
        quantum, top = pow2(-fmt.frac_bits), 2 ** (fmt.word_bits - int(fmt.signed)) - 1
        lowest = (-top - (0 if fmt.symmetric else 1)) if fmt.signed else 0
        return lowest * quantum, top * quantum
    largest = magnitude(fmt, top_code(fmt))
    return (-largest if fmt.signed else Fraction(0) if fmt.zero else magnitude(fmt, 0)), largest


def finite_values(fmt: Any) -> list[Fraction]:
    """Every finite value, ascending (for small formats)."""
    low, high = bounds(fmt)
    if is_fixed(fmt):
        quantum = pow2(-fmt.frac_bits)
        return [i * quantum for i in range(int(low / quantum), int(high / quantum) + 1)]
    positive = {magnitude(fmt, code) for code in range(top_code(fmt) + 1)}
    return sorted(positive | ({-v for v in positive} if fmt.signed else set()))


def step_at(fmt: Any, a: Fraction) -> Step:
    """The grid around the magnitude ``a > 0``, unbounded above."""
    if is_fixed(fmt):
        gap = pow2(-fmt.frac_bits)
        return Step(a // gap * gap, gap, bool(a // gap % 2))
    emin, e = (1 if fmt.zero else 0) - bias_of(fmt), floor_log2(a)
    if e < emin and not fmt.subnormals:  # between zero and the smallest normal
        return Step(Fraction(0), pow2(emin), False)
    e = max(e, emin)
    gap = pow2(e - fmt.man_bits)
    whole = a // gap
    if fmt.man_bits or whole == 0:
        return Step(whole * gap, gap, bool(whole % 2))
    return Step(whole * gap, gap, bool((e + bias_of(fmt)) % 2))


def nearest_integer_even(a: Fraction) -> int:
    return round(a)  # Python rounds a Fraction's ties to even


def nearest_integer_odd(a: Fraction) -> int:
    return round(a + 1) - 1  # shifted by one, a tie goes to the other parity


def away_from_zero(mode: str, nu: Fraction, odd: bool, negative: bool, coin: Coin | None) -> bool:
    """Whether the fraction ``nu`` of a gap, ``0 < nu < 1``, is rounded away from zero."""
    half = Fraction(1, 2)
    if mode in DETERMINISTIC:
        return {
            "nearest_even": nu > half or (nu == half and odd),
            "nearest_away": nu >= half,
            "nearest_up": nu > half or (nu == half and not negative),
            "toward_zero": False,
            "toward_positive": not negative,
            "toward_negative": negative,
            "to_odd": not odd,
        }[mode]
    assert coin is not None, "stochastic modes need a coin"
    one = 1 << coin.bits
    if mode == "stochastic":
        return coin.word < int(nu * one)
    if mode == "stochastic_a":
        return int(nu * one) + coin.word >= one
    if mode == "stochastic_b":
        return int(nu * 2 * one) + 2 * coin.word + 1 >= 2 * one
    if mode == "stochastic_c":
        return nearest_integer_even(nu * one) + coin.word >= one
    assert mode == "stochastic_odd", mode
    return nearest_integer_odd(nu * one) + coin.word >= one


def round_unbounded(fmt: Any, x: Fraction, mode: str, coin: Coin | None = None) -> Fraction:
    """``x`` on the grid as if it had no largest value."""
    a = abs(x)
    if a == 0:
        return Fraction(0)
    lower, gap, odd = step_at(fmt, a)
    if not is_fixed(fmt) and not fmt.zero and lower == 0:
        return magnitude(fmt, 0)
    nu = (a - lower) / gap
    up = nu > 0 and away_from_zero(mode, nu, odd, x < 0, coin)
    return (lower + gap if up else lower) * (-1 if x < 0 else 1)


@cache
def held(fmt: Any, largest: Fraction, carrier: str) -> Fraction:
    """The largest magnitude of the format, at most ``largest``, that the carrier holds."""
    man_bits, emax = CARRIERS[carrier]
    top = min(largest, step_at(fmt, (2 - pow2(-man_bits)) * pow2(emax)).lower)
    return in_carrier(top, carrier)


def in_carrier(a: Fraction, carrier: str) -> Fraction:
    """The magnitude ``a`` cut to the carrier's precision."""
    if a == 0:
        return a
    man_bits, emax = CARRIERS[carrier]
    gap = pow2(max(floor_log2(a), 1 - emax) - man_bits)
    return a // gap * gap


def inf_is_allowed(fmt: Any, mode: str, negative: bool) -> bool:
    """Whether a finite value beyond the range may become Inf under this rounding direction."""
    if mode == "to_odd":  # of the largest value and Inf, the one with the odd code (P3109 4.7.4)
        return top_code(fmt) % 2 == 0
    toward_range = {"toward_zero", "toward_positive" if negative else "toward_negative"}
    return mode not in toward_range


def beyond(fmt: Any, mode: str, negative: bool, limit: Fraction) -> float:
    """What a finite result beyond ``limit`` becomes."""
    sign = -1 if negative else 1
    if limit == 0:  # a range so small that the carrier holds none of it
        return of_nothing(fmt, negative, "float64")
    if fmt.overflow in ("saturate", "clamp"):
        return float(sign * limit)
    if fmt.overflow == "nan":
        return math.nan
    return sign * math.inf if inf_is_allowed(fmt, mode, negative) else float(sign * limit)


def of_infinity(fmt: Any, negative: bool, carrier: str) -> float:
    """What an infinite input becomes."""
    sign, (low, high) = -1 if negative else 1, bounds(fmt)
    if is_fixed(fmt):
        if fmt.overflow == "wrap":
            return math.nan
        return float(-held(fmt, -low, carrier) if negative else held(fmt, high, carrier))
    if negative and not fmt.signed:
        refused = fmt.overflow in ("infinity", "nan")
        return math.nan if refused else of_nothing(fmt, False, carrier)
    if fmt.overflow == "infinity" or (fmt.overflow != "clamp" and has_inf(fmt)):
        return sign * math.inf
    return math.nan if fmt.overflow == "nan" else float(sign * held(fmt, high, carrier))


def wrapped(fmt: Any, value: Fraction, carrier: str) -> float:
    """``value``, already on the grid, modulo the word, cut to what the carrier holds."""
    quantum = pow2(-fmt.frac_bits)
    code = int(value / quantum) % 2**fmt.word_bits
    if fmt.signed and code >= 2 ** (fmt.word_bits - 1):
        code -= 2**fmt.word_bits
    size = float(in_carrier(abs(code) * quantum, carrier))
    return -size if code < 0 else size


def least(fmt: Any, carrier: str) -> float:
    """The smallest value, of those that the carrier holds, of a format without zero."""
    man_bits, emax = CARRIERS[carrier]
    return float(max(magnitude(fmt, 0), pow2(1 - emax - man_bits)))


def of_nothing(fmt: Any, negative: bool, carrier: str) -> float:
    """What zero, or a value rounded to zero, becomes."""
    if not is_fixed(fmt) and not fmt.zero:
        return math.nan if fmt.overflow == "nan" else least(fmt, carrier)
    return -0.0 if negative and has_negative_zero(fmt) else 0.0


def quantize_exact(
    x: Fraction, fmt: Any, mode: str, coin: Coin | None, carrier: str, negative: bool
) -> float:
    """A finite rational rounded to ``fmt``; ``negative`` gives the sign of a zero."""
    rounded = round_unbounded(fmt, x, mode, coin)
    low, high = bounds(fmt)
    if is_fixed(fmt) and fmt.overflow == "wrap":
        return wrapped(fmt, rounded, carrier)
    if rounded < 0 and not fmt.signed:
        refused = not is_fixed(fmt) and fmt.overflow in ("infinity", "nan")
        return math.nan if refused else of_nothing(fmt, False, carrier)
    if rounded == 0:
        return of_nothing(fmt, negative, carrier)
    limit = held(fmt, -low if negative else high, carrier)
    if not is_fixed(fmt) and not fmt.zero:
        rounded = max(rounded, Fraction(least(fmt, carrier)))
    return float(rounded) if abs(rounded) <= limit else beyond(fmt, mode, negative, limit)


def quantize_one(
    x: float, fmt: Any, mode: str, coin: Coin | None = None, carrier: str = "float32"
) -> float:
    """One carrier value rounded to a fixed-point or float format; exact."""
    if math.isnan(x):
        return math.nan
    negative = math.copysign(1.0, x) < 0
    if math.isinf(x):
        return of_infinity(fmt, negative, carrier)
    return quantize_exact(Fraction(x), fmt, mode, coin, carrier, negative)


def quantize(
    x: Any, fmt: Any, mode: str, coins: list[Coin] | None = None, carrier: str = "float32"
) -> np.ndarray:
    """:func:`quantize_one` over a flat array, as float64."""
    given: Any = coins if coins is not None else [None] * np.size(x)
    pairs = zip(np.ravel(x).tolist(), given, strict=True)
    return np.array([quantize_one(v, fmt, mode, c, carrier) for v, c in pairs])


def code_of(fmt: Any, value: float) -> int:
    """The stored code of a value of the format."""
    if is_fixed(fmt):
        return int(Fraction(value) / pow2(-fmt.frac_bits)) % 2**fmt.word_bits
    width = fmt.exp_bits + fmt.man_bits + int(fmt.signed)
    sign_bit = 1 << (width - 1)
    if math.isnan(value):
        return nan_code(fmt, width)
    sign = sign_bit if math.copysign(1.0, value) < 0 else 0
    if math.isinf(value):
        return sign | ((top_code(fmt)) + 1)
    a = abs(Fraction(value))
    if a == 0:
        return sign if has_negative_zero(fmt) else 0
    emin = (1 if fmt.zero else 0) - bias_of(fmt)
    e = max(floor_log2(a), emin)
    whole = int(a / pow2(e - fmt.man_bits))
    return sign | (whole + ((e - emin) << fmt.man_bits) - (0 if fmt.zero else 1 << fmt.man_bits))


def nan_code(fmt: Any, width: int) -> int:
    """A code of NaN (formats that have several: the quiet one, positive)."""
    assert has_nan(fmt), f"{fmt} has no NaN"
    if fmt.specials == "ieee":
        return (((1 << fmt.exp_bits) - 1) << fmt.man_bits) | (1 << (fmt.man_bits - 1))
    if fmt.specials == "fn":
        return (1 << (fmt.exp_bits + fmt.man_bits)) - 1
    return 1 << (width - 1) if fmt.signed else (1 << width) - 1
