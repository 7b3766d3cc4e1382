"""Sums that are rounded to an accumulator format after every step, and exact sums rounded once.

Float64 additions and products, exact or with their exact error; a result that float64 cannot hold
is rounded to odd, so that one more rounding gives what rounding the exact value would (Boldo and
Melquiond, "Emulation of FMA and correctly rounded sums", 2008). Only +, - and * are used.
"""

from numformats.core.lane import (
    INF_BITS,
    MAGNITUDE,
    NAN_BITS,
    ONE,
    ZERO,
    Real,
    U,
    Word,
    real_to_bits,
    where,
)


def sum_error(x: Real, y: Real, s: Real) -> Real:
    """``x + y - s`` exactly, ``s`` being ``x + y`` rounded (Knuth's TwoSum)."""
    part = s - x
    return (x - (s - part)) + (y - part)


def odd_bits(s: Real, error: Real) -> Word:
    """The pattern of ``s + error`` rounded to odd, ``s`` being nearest to it."""
    bits = real_to_bits(s)
    inexact = (error > 0.0) | (error < 0.0)
    down = (error > 0.0) != (s > 0.0)
    moved = where(down, U(bits - ONE), U(bits + ONE))
    return where(inexact & (U(bits & ONE) == ZERO), moved, bits)


def add_odd(x: Real, y: Real) -> Word:
    """The pattern of ``x + y`` rounded to odd."""
    s = x + y
    return odd_bits(s, sum_error(x, y, s))


def plain_nan(bits: Word) -> Word:
    """``bits`` with every NaN made the positive quiet one."""
    return where(U(bits & MAGNITUDE) > INF_BITS, NAN_BITS, bits)


def flushed(x: Real, low: Real) -> Real:
    """``x``, or a zero of its sign where it is smaller than ``low``."""
    zero = low - low  # of the type of both
    return where((x < low) & (x > zero - low), x * zero, x)


def flushed_input(x: Real, low: Real) -> Real:
    """``x``, or +0 where it is smaller than ``low``."""
    zero = low - low
    return where((x < low) & (x > zero - low), zero, x)
