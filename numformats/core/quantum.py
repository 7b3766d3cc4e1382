"""Rounding a carrier bit pattern to a format: the one definition behind every backend.

The magnitude is an integer whose low ``shift`` bits lie below the format's quantum. Dropping them
leaves ``kept``, the dropped bits are the fraction ``frac``, and the rounding mode says whether to
step. A mode is bound to the name ``away``, and the form of the fraction that it needs to
``fraction`` (``backends/emit.py``).
"""

from numformats.core.grid import CodeSpec, Grid
from numformats.core.lane import (
    ALL,
    BARE,
    DEEP,
    EXP_BIAS,
    GAPPED,
    HIDDEN,
    INF_BITS,
    LAST,
    LEFT,
    MAGNITUDE,
    NAN_BITS,
    ONE,
    SIG_BITS,
    ZERO,
    ZEROLESS,
    I,
    Int,
    U,
    Word,
    bit_length,
    maximum,
    minimum,
    shl,
    shr,
    where,
    whole_to_bits,
)
from numformats.rounding import nearest_even as away


def carrier_exponent(mag: Word) -> Int:
    """Biased exponent of the carrier's quantum: subnormals share that of the smallest normal."""
    return I(maximum(U(mag >> U(SIG_BITS)), ONE))


def significand(mag: Word) -> Word:
    """Significand of ``mag`` with its hidden bit, as an integer."""
    return U(mag ^ U(U(U(carrier_exponent(mag)) << U(SIG_BITS)) ^ HIDDEN))


def leading_exponent(mag: Word) -> Int:
    """Biased exponent of the leading bit, also for carrier subnormals (below 1)."""
    return I(I(carrier_exponent(mag) + bit_length(significand(mag))) - I(SIG_BITS + I(ONE)))


def raw_shift(mag: Word, g: Grid) -> Int:
    """Bits of the significand below the format's quantum; negative where the quantum is finer."""
    e = carrier_exponent(mag)
    lead = I(bit_length(significand(mag)) - I(ONE))
    below = I(e + lead) < I(g.min_exp + SIG_BITS)
    return where(below, I(g.low_shift - e), I(lead - g.man_bits))


def dropped_bits(mag: Word, g: Grid, general: Int) -> Word:
    """Bits of the significand that rounding drops, more than it has for small values; ``general``
    is False, True, or what the grid needs (``lowering.py``)."""
    below = I(g.low_shift - carrier_exponent(mag))
    if general & DEEP:
        if general & GAPPED:
            return U(maximum(raw_shift(mag, g), I(ZERO)))
        lead = I(bit_length(significand(mag)) - I(ONE))
        return U(maximum(maximum(below, I(lead - g.man_bits)), I(ZERO)))
    if general & GAPPED:
        normal = shl(U(maximum(g.min_exp, I(ONE))), U(SIG_BITS))
        return U(where(mag < normal, below, g.top_shift))
    return U(maximum(below, g.top_shift))


def sticky_fraction(sig: Word, shift: Word) -> Word:
    """The low ``shift`` bits of ``sig`` as a binary fraction of full lane width, with a sticky last
    bit."""
    lane = U(I(LAST + I(ONE)))
    lost = shl(sig, U(U(lane + lane) - minimum(shift, U(lane + lane))))
    return U(truncated_fraction(sig, shift) | minimum(lost, ONE))


def truncated_fraction(sig: Word, shift: Word) -> Word:
    """As ``sticky_fraction``, without the bits beyond a lane."""
    lane = U(I(LAST + I(ONE)))
    return maximum(shl(sig, U(lane - shift)), shr(sig, U(shift - lane)))


def halves_fraction(sig: Word, shift: Word) -> Word:
    """As ``sticky_fraction``, in comparisons with 0 and one half: whatever is dropped beyond a lane
    becomes some positive fraction below 2^-6."""
    return shl(U(sig << ONE), U(U(LAST) ^ minimum(shift, U(LAST))))


fraction = sticky_fraction  # bound to the form that a mode reads when its texts are emitted


def last_bits(mag: Word, kept: Word, g: Grid, general: Int) -> Word:
    """An integer with the last bit of the truncated code, for modes that look at parity."""
    if general & BARE:
        lead = leading_exponent(mag) if general & DEEP else I(mag >> U(SIG_BITS))
        above = U(maximum(I(lead - g.min_exp), I(ZERO)))
        return U(U(kept + where(g.man_bits == I(ZERO), above, ZERO)) + g.parity)
    return kept


def rounded(bits: Word, rand: Word, spare: Word, g: Grid, general: Int) -> Word:
    """The magnitude of ``bits`` rounded to the grid without end: no range, no specials."""
    mag = U(bits & MAGNITUDE)
    sig = significand(mag)
    dropped = dropped_bits(mag, g, general)
    shift = minimum(dropped, U(LAST))
    last = last_bits(mag, shr(sig, shift), g, general)
    up = away(last, fraction(sig, dropped), bits > MAGNITUDE, rand, spare)
    unit = shl(ALL, shift)  # minus one step
    below = U(mag & unit)
    stepped = where(up, U(below - unit), below)
    return where(shift > U(SIG_BITS), where(up, g.quantum, ZERO), stepped)


def with_sign(out: Word, bits: Word, g: Grid) -> Word:
    """A rounded magnitude with the sign of ``bits``, where the format has it."""
    sign = U(bits & U(MAGNITUDE + ONE))
    return U(out | U(sign & where(out == ZERO, g.zero_mask, g.sign_mask)))


def settle(out: Word, bits: Word, g: Grid, general: Int, saturating: bool) -> Word:
    """Apply range, specials and sign to a rounded magnitude; where all saturates, Inf (which rounds
    to Inf) is beyond the range like any other."""
    mag = U(bits & MAGNITUDE)
    neg = bits > MAGNITUDE
    if general & ZEROLESS:
        out = where(mag == ZERO, g.zero, maximum(out, g.floor))
    out = where(out > where(neg, g.max_neg, g.max_pos), where(neg, g.over_neg, g.over_pos), out)
    if not saturating:
        out = where(mag == INF_BITS, where(neg, g.inf_neg, g.inf_pos), out)
    return with_sign(where(mag > INF_BITS, mag, out), bits, g)


def round_bits(
    bits: Word, rand: Word, spare: Word, g: Grid, general: Int, saturating: bool
) -> Word:
    """The carrier bits of ``bits`` rounded to the grid ``g``."""
    return settle(rounded(bits, rand, spare, g, general), bits, g, general, saturating)


def round_finite(bits: Word, rand: Word, spare: Word, g: Grid) -> Word:
    """As ``round_bits``, for finite ``bits`` and grids that saturate and need no general text."""
    top = where(bits > MAGNITUDE, g.max_neg, g.max_pos)
    return with_sign(minimum(rounded(bits, rand, spare, g, False), top), bits, g)


def compose(n: Word, q: Int) -> Word:
    """Carrier bits of ``n * 2**q`` (exact where the carrier holds it, else truncated)."""
    size = bit_length(n)
    sig = shr(shl(n, U(I(LAST + I(ONE)) - size)), LEFT)
    e = I(I(I(q + size) + EXP_BIAS) - I(ONE))
    normal = U(shl(U(e), U(SIG_BITS)) + U(sig & U(HIDDEN - ONE)))
    tiny = shr(sig, U(maximum(I(I(ONE) - e), I(ZERO))))
    return where(n == ZERO, ZERO, where(e >= I(ONE), normal, tiny))


def placed(code: Word, sign_bit: Word, q: Int) -> Word:
    """Carrier bits of a stored fixed-point code, which the carrier holds: one step where it is
    signed and no result subnormal."""
    n = U(U(code ^ sign_bit) - sign_bit)
    if (q < I(I(ONE) - EXP_BIAS)) | (sign_bit == ZERO):
        minus = U(code & sign_bit) > ZERO
        out = compose(where(minus, U(ZERO - n), n), q)
        return U(out | where(minus & (out > ZERO), U(MAGNITUDE + ONE), ZERO))
    return where(n == ZERO, ZERO, U(whole_to_bits(I(n)) + shl(U(q), U(SIG_BITS))))


def wrap_bits(
    bits: Word, rand: Word, spare: Word, g: Grid, mask: Word, sign_bit: Word, q: Int
) -> Word:
    """Round to a fixed-point grid of quantum ``2**q``, then reduce modulo the word (two's
    complement). The carrier holds the result: its bits span no more than those of the rounded
    value, or than those from its last bit to the top of the word."""
    mag = U(bits & MAGNITUDE)
    neg = bits > MAGNITUDE
    raw = I(g.low_shift - carrier_exponent(mag))
    shift = U(maximum(raw, I(ZERO)))
    kept = shr(significand(mag), shift)
    up = away(kept, fraction(significand(mag), shift), neg, rand, spare)
    whole = shl(U(kept + U(up)), U(maximum(I(I(ZERO) - raw), I(ZERO))))
    code = U(where(neg, U(ZERO - whole), whole) & mask)
    out = placed(code, sign_bit, q)
    return where(mag >= INF_BITS, where(mag > INF_BITS, bits, NAN_BITS), out)


def code_bits(bits: Word, g: Grid, c: CodeSpec) -> Word:
    """The stored code of ``bits``, a value of the format (or NaN, Inf where it has them)."""
    mag = U(bits & MAGNITUDE)
    neg = bits > MAGNITUDE
    raw = raw_shift(mag, g)
    sig = significand(mag)
    whole = where(raw < I(ZERO), shl(sig, U(I(I(ZERO) - raw))), shr(sig, U(raw)))
    above = I(maximum(I(leading_exponent(mag) - g.min_exp), I(ZERO)))
    code = where(mag == ZERO, ZERO, U(U(whole + shl(U(above), U(g.man_bits))) - c.rebase))
    sign = where(neg, c.sign_bit, ZERO)
    flipped = where(
        neg & (c.twos_complement == ONE), U(U(ZERO - code) & c.word_mask), U(code | sign)
    )
    out = where(mag == INF_BITS, U(c.inf_code | sign), flipped)
    return where(mag > INF_BITS, U(c.nan_code | U(sign & c.nan_sign)), out)
