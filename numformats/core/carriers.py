"""Half-width carriers in 32-bit lanes: stored bits widened exactly; results narrowed, which hold no
more than the carrier does, and any float32 rounded to nearest even (its NaN is the quiet one).
"""

from numformats.core.lane import (
    F32,
    INF_BITS,
    MAGNITUDE,
    ONE,
    SIG_BITS,
    ZERO,
    I,
    U,
    Word,
    bits_to_float,
    float_to_bits,
    minimum,
    shr,
    where,
)
from numformats.core.quantum import compose, significand


def as_is(x: Word) -> Word:
    """The bits of a carrier as wide as its lane."""
    return x


def widen_bfloat16(x: Word) -> Word:
    """Lane bits of a stored bfloat16."""
    return U(U(x) << U(16))


def narrow_bfloat16(bits: Word) -> Word:
    """Stored bits of a value that bfloat16 holds."""
    return U(bits >> U(16))


def widen_float16(x: Word) -> Word:
    """Lane bits of a stored float16; the payload of a NaN stays."""
    mag = U(U(x) & U(0x7FFF))
    rebased = U(U(mag << U(13)) + U(112 << 23))
    special = where(mag >= U(0x7C00), U(112 << 23), ZERO)
    out = where(mag < U(0x400), compose(mag, I(-24)), U(rebased + special))
    return U(out | U(U(U(x) & U(0x8000)) << U(16)))


def narrow_float16(bits: Word) -> Word:
    """Stored bits of a value that float16 holds."""
    mag = U(bits & MAGNITUDE)
    e = I(shr(mag, SIG_BITS))
    normal = U(U(mag - U(112 << 23)) >> U(13))
    special = U(U(0x7C00) | U(U(mag >> U(13)) & U(0x3FF)))
    tiny = shr(significand(mag), U(I(I(126) - e)))
    out = where(mag >= INF_BITS, special, where(e >= I(113), normal, tiny))
    return U(out | U(U(bits >> U(16)) & U(0x8000)))


def nearest_bfloat16(bits: Word) -> Word:
    """Stored bits of the bfloat16 nearest to a float32."""
    return U(U(bits + U(U(0x7FFF) + U(U(bits >> U(16)) & ONE))) >> U(16))


def nearest_float16(bits: Word) -> Word:
    """Stored bits of the float16 nearest to a float32; below the normal range of float16, a sum
    with 1/2 rounds to its gap."""
    mag = U(bits & MAGNITUDE)
    rebased = U(mag - U(112 << 23))
    normal = U(U(rebased + U(U(0xFFF) + U(U(rebased >> U(13)) & ONE))) >> U(13))
    tiny = U(float_to_bits(F32(bits_to_float(mag) + F32(0.5))) - U(0x3F000000))
    out = where(mag < U(113 << 23), tiny, minimum(normal, U(0x7C00)))
    out = where(mag > INF_BITS, U(0x7E00), out)
    return U(out | U(U(bits >> U(16)) & U(0x8000)))
