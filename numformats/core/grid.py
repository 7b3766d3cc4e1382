"""What the core texts need to know about a format on one carrier: plain lane integers."""

from typing import Any, NamedTuple


class Grid(NamedTuple):
    """A format lowered onto a carrier (``lowering.py`` makes it). Magnitudes are carrier bit
    patterns without sign.
    """

    man_bits: Any  #: trailing significand bits that the carrier can tell apart
    min_exp: Any  #: biased carrier exponent of the smallest normal; huge for fixed point
    low_shift: Any  #: below min_exp, bits dropped are low_shift - exponent
    top_shift: Any  #: from min_exp up, bits dropped
    parity: Any  #: for the general texts: what a format without zero adds to its last code bits
    quantum: Any  #: magnitude of the smallest positive value
    max_pos: Any  #: magnitude of the largest value
    max_neg: Any  #: magnitude of the most negative value
    over_pos: Any  #: what replaces a finite result beyond max_pos
    over_neg: Any
    inf_pos: Any  #: what replaces +Inf
    inf_neg: Any
    zero_mask: Any  #: sign bits that survive on a zero result
    sign_mask: Any  #: sign bits that survive elsewhere
    floor: Any  #: smallest magnitude of a format without zero, else 0
    zero: Any  #: what replaces an exact zero


class CodeSpec(NamedTuple):
    """How magnitudes become stored codes."""

    word_mask: Any  #: all code bits
    sign_bit: Any  #: 0 for unsigned and two's complement
    twos_complement: Any  #: 1 where negative codes are complemented
    rebase: Any  #: 1 where code 0 is not zero
    inf_code: Any
    nan_code: Any
    nan_sign: Any  #: sign_bit where NaN keeps its sign, else 0
