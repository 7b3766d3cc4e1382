"""Operands of a matrix unit: carrier bits as a significand, an exponent and a kind."""

from typing import Any, NamedTuple

from numformats.core.lane import (
    EXP_BIAS,
    INF_BITS,
    MAGNITUDE,
    SIG_BITS,
    ZERO,
    I,
    Int,
    U,
    Word,
    maximum,
    shl,
    shr,
)
from numformats.core.quantum import carrier_exponent, significand


class SplitSpec(NamedTuple):
    """How carrier bits become a significand and an exponent of an operand format (lane scalars)."""

    man_bits: Any  #: trailing significand bits of the format
    min_exp: Any  #: biased carrier exponent of its smallest normal value
    largest: Any  #: carrier magnitude of its largest finite value
    keep: Any  #: mask of the carrier bits that the unit reads
    up: Any  #: left shift of the significand
    inf: Any  #: 1 where the format holds Inf
    nan: Any  #: 1 where the format holds NaN


def operand_significand(bits: Word, s: SplitSpec) -> Word:
    """Significand of an operand in units of its own format: subnormals keep the exponent of the
    smallest normal."""
    mag = U(bits & MAGNITUDE)
    return shr(significand(mag), operand_shift(mag, s))


def operand_shift(mag: Word, s: SplitSpec) -> Word:
    """Bits of the carrier's significand below the last bit of the format."""
    below = I(maximum(I(s.min_exp - carrier_exponent(mag)), I(ZERO)))
    return U(I(I(SIG_BITS - s.man_bits) + below))


def operand_exponent(bits: Word, s: SplitSpec) -> Int:
    """Unbiased exponent that goes with ``operand_significand``."""
    return I(maximum(carrier_exponent(U(bits & MAGNITUDE)), s.min_exp) - EXP_BIAS)


def operand_kind(bits: Word, s: SplitSpec) -> Word:
    """Bit 0: NaN, bit 1: Inf, bit 2: zero, bit 3: negative, bit 4: no value of the format."""
    mag = U(bits & MAGNITUDE)
    sig, shift = significand(mag), operand_shift(mag, s)
    rest = U(sig ^ shl(shr(sig, shift), shift)) > ZERO
    odd = (mag < INF_BITS) & (rest | (mag > s.largest))
    odd = odd | ((mag == INF_BITS) & (s.inf == ZERO)) | ((mag > INF_BITS) & (s.nan == ZERO))
    inf, zero = U(U(mag == INF_BITS) << U(1)), U(U(mag == ZERO) << U(2))
    sign, bad = U(U(bits > MAGNITUDE) << U(3)), U(U(odd) << U(4))
    return U(U(U(mag > INF_BITS) | inf) | U(zero | U(sign | bad)))
