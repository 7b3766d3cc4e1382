"""Stored codes back to carrier bits: the inverse of ``quantum.code_bits``."""

from typing import Any, NamedTuple

from numformats.core.lane import (
    ALL,
    INF_BITS,
    MAGNITUDE,
    NAN_BITS,
    ONE,
    ZERO,
    I,
    U,
    Word,
    shl,
    shr,
    where,
)
from numformats.core.quantum import compose


class DecodeSpec(NamedTuple):
    """How stored codes are read, as lane scalars. Fixed point is a float whose every code lies in
    the lowest binade."""

    word_mask: Any  #: all code bits
    sign_bit: Any  #: 0 for unsigned formats
    twos_complement: Any  #: 1 where negative codes are complemented
    man_bits: Any  #: trailing significand bits; the lane's width for fixed point
    normal_from: Any  #: smallest exponent field of a normal: 1, or 0 in formats without zero
    top_exp: Any  #: exponent of a normal's last bit at exponent field 0
    low_exp: Any  #: exponent of the last bit below
    low_mask: Any  #: trailing bits that count below: all, or none in formats without subnormals
    has_specials: Any  #: 1 where codes above the largest are Inf or NaN
    max_code: Any  #: magnitude code of the largest finite value
    inf_code: Any  #: magnitude code of Inf; the largest where there is none
    lone_nan: Any  #: the code of the NaN in the place of -0; any NaN's elsewhere


def finite_bits(mag: Word, d: DecodeSpec) -> Word:
    """Carrier bits of a magnitude code that is no special."""
    field, unit = shr(mag, U(d.man_bits)), shl(ONE, U(d.man_bits))
    trailing = U(mag & U(unit - ONE))
    normal = I(field) >= d.normal_from
    n = where(normal, U(trailing | unit), U(trailing & d.low_mask))
    return compose(n, where(normal, I(I(field) + d.top_exp), d.low_exp))


def value_bits(code: Word, d: DecodeSpec) -> Word:
    """Carrier bits of the value of a stored code, exact where the carrier holds it."""
    neg = U(code & d.sign_bit) > ZERO
    flip = neg & (d.twos_complement == ONE)
    mag = where(flip, U(U(ZERO - code) & d.word_mask), U(code & U(ALL ^ d.sign_bit)))
    special = (d.has_specials == ONE) & (mag > d.max_code)
    infinite = special & (mag == d.inf_code)
    size = where(infinite, INF_BITS, finite_bits(mag, d))
    out = where(neg, U(size | U(MAGNITUDE + ONE)), size)
    lone = (d.has_specials == ONE) & (code == d.lone_nan)
    return where(lone | (special & (mag != d.inf_code)), NAN_BITS, out)
