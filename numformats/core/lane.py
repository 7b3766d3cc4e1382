"""The words in which the core texts are written, bound here to 32-bit NumPy arithmetic.

A core text (``rounding.py``, ``core/*.py``) uses only these names, integer operators and calls of
other texts. Backends re-bind the names to another lane width or another target and compile the
same text (``backends/emit.py``). Every integer operation is cast back to the lane (``U(a + b)``),
since Numba and C would otherwise widen it. ``F32`` around an operation on float32 makes it one of
float32.
"""

from typing import Any, TypeAlias

import numpy as np

Word: TypeAlias = Any  #: unsigned lane integer (or an array of them)
Int: TypeAlias = Any  #: signed lane integer
Flag: TypeAlias = Any  #: bool
Real: TypeAlias = Any  #: float64

U: Any = np.uint32
I: Any = np.int32  # noqa: E741 - the signed sibling of U
W32: Any = np.uint32
U64: Any = np.uint64
I64: Any = np.int64
F32: Any = np.float32
F64: Any = np.float64
T: Any = np.int32  #: terms of a dot product
TU: Any = np.uint32

WIDTH = 32
SIG_BITS = I(23)  # stored significand bits of the carrier
EXP_BIAS = I(127)
LAST = I(31)
LEFT = U(8)  # moves a significand with its hidden bit to the top of the lane
ZERO, ONE, ALL, HALF = U(0), U(1), U(0xFFFFFFFF), U(0x80000000)
MAGNITUDE, HIDDEN = U(0x7FFFFFFF), U(1 << 23)
INF_BITS, NAN_BITS = U(0x7F800000), U(0x7FC00000)
CARRIER_MAX = U(0x7F7FFFFF)  # largest finite magnitude of the carrier
# what a grid needs of the general texts; bit 0, in all of them, is everything
DEEP, GAPPED, BARE, ZEROLESS = 3, 5, 9, 17

where: Any = np.where
mostly: Any = np.where  #: that, where the last is rarely wanted
minimum: Any = np.minimum
maximum: Any = np.maximum
root: Any = np.sqrt
floor_of: Any = np.floor


def shl(x: Word, s: Word) -> Word:
    """``x`` shifted left by ``s``; 0 for ``s`` >= width."""
    return where(U(s) > U(LAST), ZERO, U(x << U(U(s) & U(LAST))))


def shr(x: Word, s: Word) -> Word:
    """``x`` shifted right by ``s``; 0 for ``s`` >= width."""
    return where(U(s) > U(LAST), ZERO, U(x >> U(U(s) & U(LAST))))


def shr_term(x: Word, s: Word) -> Word:
    """``x`` shifted right by ``s`` in the lane of the terms; 0 for ``s`` >= width."""
    return where(TU(s) > TU(31), TU(0), TU(x >> TU(TU(s) & TU(31))))


def bit_length(x: Word) -> Int:
    """Number of bits of ``x``, 0 for 0 (NumPy form; ``x`` must be exact in float64)."""
    return I(np.frexp(np.float64(x))[1])


def real_to_bits(x: Real) -> Word:
    """The 64-bit pattern of a float64."""
    return np.asarray(x, np.float64).view(np.uint64)


def bits_to_real(x: Word) -> Real:
    """The float64 with this 64-bit pattern."""
    return np.asarray(x, np.uint64).view(np.float64)


def float_to_bits(x: Real) -> Word:
    """The 32-bit pattern of a float32."""
    return np.asarray(x, np.float32).view(np.uint32)


def bits_to_float(x: Word) -> Real:
    """The float32 with this 32-bit pattern."""
    return np.asarray(x, np.uint32).view(np.float32)


def whole_to_bits(n: Int) -> Word:
    """Carrier bits of the integer ``n``, which the carrier holds."""
    return np.asarray(n).astype(np.float32).view(np.uint32)


def single(x: Real) -> Real:
    """``x`` rounded to float32 and back."""
    return np.float64(np.float32(x)) if np.ndim(x) == 0 else x.astype(np.float32).astype(np.float64)


def fused(a: Real, b: Real, c: Real) -> Real:
    """``a * b + c`` of float32, rounded once. The product is exact in float64, and a sum that is
    not gets an odd last bit, which keeps the second rounding right."""
    product = np.asarray(a, np.float64) * np.asarray(b, np.float64)
    wide = np.asarray(product + c)
    shift = wide - product
    lost = (product - (wide - shift)) + (c - shift)
    bits = wide.view(np.int64)
    even = ((lost < 0.0) | (lost > 0.0)) & (bits & 1 == 0)
    odd = bits + np.where(even, np.where((lost > 0.0) == (wide > 0.0), 1, -1), 0)
    return odd.view(np.float64).astype(np.float32)
