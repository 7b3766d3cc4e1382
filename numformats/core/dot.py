"""Fused dot products with a common alignment: how a matrix unit adds products up.

Products are integers ``p`` with exponents ``e``; every term of a group is aligned to the largest
exponent, truncated, and the integers are added exactly. Written for 64-bit lanes, in which the
accumulator ``c`` is a float64 pattern; terms use the lane ``T`` (32 bits where they fit).

References: MMA-Sim (arXiv 2511.10909); Khattak and Mikaitis (arXiv 2512.07004).
"""

from typing import Any, NamedTuple

from numformats.core.grid import Grid
from numformats.core.lane import (
    EXP_BIAS,
    F64,
    INF_BITS,
    LAST,
    MAGNITUDE,
    ONE,
    SIG_BITS,
    TU,
    ZERO,
    Flag,
    I,
    Int,
    T,
    U,
    Word,
    bit_length,
    bits_to_real,
    maximum,
    minimum,
    real_to_bits,
    shl,
    shr,
    shr_term,
    where,
)
from numformats.core.quantum import carrier_exponent, round_bits, significand

DOT_GENERAL = False  # bound when emitted: whether the output grid needs the general text
DOT_NAN = U(0x7FFFFFFF)  # bound when emitted: the NaN that a unit returns
TERM_LAST = T(31)


class DotSpec(NamedTuple):
    """The parameters of a fused dot product, as int64."""

    frac_bits: Any  #: F: fraction bits kept of a term, relative to the largest exponent
    late_bits: Any  #: F2 of the round-down units
    zero_exp: Any  #: exponent of a term that is zero
    min_exp: Any  #: exponent of the subnormals of the output, which is c from the second group on
    align: Any  #: right shift that every product takes
    unit_bits: Any  #: a product with more bits is 2 or more times its power of two
    given_exp: Any  #: exponent of the subnormals of the c that is given


def aligned(p: Int, shift: Int) -> Int:
    """``p / 2**shift`` truncated toward zero."""
    sign = T(p >> TERM_LAST)
    size = TU(T(T(p ^ sign) - sign))
    return T(T(T(shr_term(size, TU(shift))) ^ sign) - sign)


def term(sa: Int, sb: Int, up: Int, eb: Int) -> Int:
    """The product of two significands as an aligned term; ``up`` is the exponent that nothing
    shifts, less that of the first factor."""
    return aligned(T(T(sa) * T(sb)), T(up - T(eb)))


def over_range(sa: Int, ea: Int, sb: Int, eb: Int, s: DotSpec) -> Flag:
    """Whether a product is 2**128 or more."""
    product = I(I(sa) * I(sb))
    size = I(where(product < I(ZERO), I(I(ZERO) - product), product) >> s.unit_bits)
    return I(I(I(ea) + I(eb)) + I(size > I(ZERO))) >= I(128)


def product_flags(a: Word, b: Word, over: Flag) -> Word:
    """Bit 0: the product is NaN, bit 1: +Inf, bit 2: -Inf; from the kinds of its factors, and
    whether a finite product is ``over`` the range."""
    nan = U(U(U(a | b) | U(U(a >> U(1)) & U(b >> U(2)))) | U(U(b >> U(1)) & U(a >> U(2))))
    inf = U(U(U(U(a | b) >> U(1)) & ONE) | U(over))
    neg = U(U(U(a ^ b) >> U(3)) & ONE)
    return U(U(nan & ONE) | U(shl(inf, U(neg + ONE))))


def special_sum(flags: Word, out: Word, c: Word) -> Word:
    """The result where some product is NaN or Inf (``flags`` are joined over the products)."""
    mag = U(c & MAGNITUDE)
    c_inf = shl(U(mag == INF_BITS), U(U(c > MAGNITUDE) + ONE))
    every = U(U(flags | c_inf) | U(mag > INF_BITS))
    inf = U(INF_BITS | where(U(every & U(4)) > ZERO, U(MAGNITUDE + ONE), ZERO))
    bad = (U(every & ONE) > ZERO) | (U(every & U(6)) == U(6))
    return where(flags > ZERO, where(bad, DOT_NAN, inf), out)


def c_exponent(c: Word, least: Int) -> Int:
    """Exponent of the accumulator; zero has that of the subnormals, ``least``."""
    return I(maximum(I(carrier_exponent(U(c & MAGNITUDE)) - EXP_BIAS), least))


def c_shift(c: Word, top: Int, bits: Int) -> Int:
    """Right shift of the significand of ``c`` that leaves ``bits`` fraction bits below 2**top."""
    e = I(carrier_exponent(U(c & MAGNITUDE)) - EXP_BIAS)
    return I(I(I(SIG_BITS - e) + top) - bits)


def scaled(total: Int, q: Int) -> Word:
    """The float64 pattern of ``total * 2**q``: exact, totals have at most 53 bits."""
    power = bits_to_real(shl(U(I(q + EXP_BIAS)), U(SIG_BITS)))
    return real_to_bits(F64(total) * power)


def converted(bits: Word, c: Word, g: Grid) -> Word:
    """The exact result rounded to the output grid; NaN and Inf of ``c`` stay."""
    mag = U(c & MAGNITUDE)
    out = round_bits(bits, ZERO, ZERO, g, DOT_GENERAL, False)
    return where(mag < INF_BITS, out, where(mag == INF_BITS, c, DOT_NAN))


def first_truncated(c: Word, zero: Flag, given: Flag, s: DotSpec) -> Int:
    """Where the search for the largest exponent starts: ``c``, be it ``given`` or the result of
    a group, and zero terms if there are any."""
    none = U(c & MAGNITUDE) == ZERO
    least = where(given, s.given_exp, s.min_exp)
    e = where(none, s.zero_exp, c_exponent(c, least))
    return where(zero, maximum(e, s.zero_exp), e)


def finish_truncated(
    total: Int, top: Int, odd: Int, odd_top: Int, c: Word, s: DotSpec, g: Grid
) -> Word:
    """T-FDPA: ``c`` is one of the aligned, truncated terms; one conversion of the exact sum."""
    size = I(shr(significand(U(c & MAGNITUDE)), U(c_shift(c, top, s.frac_bits))))
    every = I(total + where(c > MAGNITUDE, I(I(ZERO) - size), size))
    return converted(scaled(every, I(top - s.frac_bits)), c, g)


def first_down(c: Word, zero: Flag, given: Flag, s: DotSpec) -> Int:
    """Where the search for the largest product exponent starts, below all of them."""
    return s.zero_exp


def down(x: Int, shift: Int) -> Int:
    """``x / 2**shift`` rounded toward minus infinity."""
    return I(x >> minimum(maximum(shift, I(ZERO)), I(LAST)))


def late_sum(total: Int, top: Int, c: Word, keep: Flag, s: DotSpec, g: Grid) -> Word:
    """Products and ``c`` aligned and rounded down, added, rounded down to F2 bits, converted."""
    e = maximum(top, c_exponent(c, s.min_exp))
    up = I(I(s.late_bits + I(ONE)) - s.frac_bits)
    dots = down(I(total << up), I(e - top))
    size = I(significand(U(c & MAGNITUDE)))
    signed = where(c > MAGNITUDE, I(I(ZERO) - size), size)
    late = I(down(signed, c_shift(c, e, s.frac_bits)) << up)
    every = I(dots + where(keep, late, I(ZERO)))
    length = bit_length(U(where(every < I(ZERO), I(I(ZERO) - every), every)))
    below = maximum(I(length - I(s.late_bits + I(ONE))), I(I(s.min_exp + I(ONE)) - e))
    drop = maximum(below, I(ZERO))
    return scaled(I(down(every, drop) << drop), I(e - I(s.late_bits + I(ONE))))


def finish_down(total: Int, top: Int, odd: Int, odd_top: Int, c: Word, s: DotSpec, g: Grid) -> Word:
    """TR-FDPA (CDNA3): the truncated sum of the products meets ``c`` late, rounding down."""
    return converted(late_sum(total, top, c, c == c, s, g), c, g)


def finish_grouped(
    total: Int, top: Int, odd: Int, odd_top: Int, c: Word, s: DotSpec, g: Grid
) -> Word:
    """GTR-FDPA (CDNA3 FP8): products of even and odd index apart; a far smaller ``c`` is dropped,
    and a ``c`` that is NaN or Inf counts as having exponent -1."""
    e = maximum(top, odd_top)
    both = I(down(total, I(e - top)) + down(odd, I(e - odd_top)))
    finite = U(c & MAGNITUDE) < INF_BITS
    c_exp = where(finite, c_exponent(c, s.min_exp), I(I(ZERO) - I(ONE)))
    keep = c_exp >= I(I(maximum(e, c_exp) - s.frac_bits) - I(ONE))
    used = where(keep | finite, c, ZERO)
    return converted(late_sum(both, e, used, keep, s, g), used, g)


def group_is_zero(sig: Int, nonzero: Word) -> Flag:
    """Whether a scaled group sum counts as zero: a scale is, or every product (``nonzero`` marks
    the products that are not)."""
    return (sig == I(ZERO)) | (nonzero == ZERO)


def group_exponent(e: Int, sig: Int, nonzero: Word, s: DotSpec) -> Int:
    """Exponent of a scaled group sum: that of its scales, unless it counts as zero."""
    return where(group_is_zero(sig, nonzero), s.zero_exp, e)


def group_term(total: Int, sig: Int, s: DotSpec) -> Int:
    """A group sum times the significands of its scales, in place."""
    return I(I(total * sig) << s.align)
