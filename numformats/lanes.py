"""Carriers and their lanes: how the floats that hold emulated values look as integers."""

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np


@cache
def name_of(dtype: Any) -> Any:
    """The name of a NumPy dtype or scalar type, spelt once: NumPy does it anew whenever it is
    asked, and a launch asks often."""
    return np.dtype(dtype).name


@cache
def size_of(dtype: Any) -> int:
    """The bytes of an element, as ``name_of``."""
    return int(np.dtype(dtype).itemsize)


@dataclass(frozen=True, eq=False)  # two objects; caches ask for them often
class Lane:
    """Integers of one width, in which carriers of that width are processed.

    ``width`` bits, ``sig_bits`` stored significand bits, exponent ``bias``; ``unsigned``,
    ``signed`` and ``real`` are the NumPy dtypes.
    """

    width: int
    sig_bits: int
    bias: int
    unsigned: Any
    signed: Any
    real: Any

    @property
    def inf(self) -> int:
        """Magnitude bits of Inf."""
        return (2 * self.bias + 1) << self.sig_bits

    @property
    def nan(self) -> int:
        """Bits of the quiet NaN."""
        return self.inf | 1 << (self.sig_bits - 1)

    def truncate(self, value: Fraction) -> int:
        """Magnitude bits of the largest finite carrier value <= ``value`` (>= 0)."""
        if value <= 0:
            return 0
        e = exponent(value)
        if e > self.bias:
            return self.inf - 1
        q = max(e, 1 - self.bias) - self.sig_bits
        sig = int(value / Fraction(2) ** q)
        biased = max(e + self.bias, 1)
        return ((biased - 1) << self.sig_bits) + sig if sig >> self.sig_bits else sig


LANE32 = Lane(32, 23, 127, np.uint32, np.int32, np.float32)
LANE64 = Lane(64, 52, 1023, np.uint64, np.int64, np.float64)


@dataclass(frozen=True, eq=False)  # one object each, as lanes
class Carrier:
    """A dtype that holds emulated values: its name, its lane, and the unsigned dtype of its stored
    bits.

    ``sig_bits`` and ``emax`` bound what it holds; half-width carriers are widened exactly into
    32-bit lanes.
    """

    name: str
    lane: Lane
    stored: Any
    sig_bits: int
    emax: int

    @property
    def largest(self) -> int:
        """Lane magnitude bits of the largest finite value."""
        spare = self.lane.sig_bits - self.sig_bits
        return (self.emax + self.lane.bias + 1 << self.lane.sig_bits) - 1 >> spare << spare

    @property
    def tiny(self) -> Fraction:
        """Smallest positive value, the gap of the subnormals."""
        return Fraction(2) ** (1 - self.emax - self.sig_bits)

    def whole_lane(self) -> "Carrier":
        """The carrier with the limits of its lane: codes need not fit a narrow one."""
        return _whole_lane(self)

    def truncate(self, value: Fraction) -> int:
        """Lane magnitude bits of the largest finite value of the carrier <= ``value`` (>= 0)."""
        q = (
            max(Fraction(2) ** (exponent(value) - self.sig_bits), self.tiny)
            if value > 0
            else self.tiny
        )
        return self.lane.truncate(value // q * q)


@cache
def _whole_lane(carrier: Carrier) -> Carrier:
    lane = carrier.lane
    return replace(carrier, sig_bits=lane.sig_bits, emax=lane.bias)


def exponent(value: Fraction) -> int:
    """``floor(log2 value)`` of a positive fraction."""
    e = value.numerator.bit_length() - value.denominator.bit_length()
    return e - (Fraction(2) ** e > value)


CARRIERS = {
    "float16": Carrier("float16", LANE32, np.uint16, 10, 15),
    "bfloat16": Carrier("bfloat16", LANE32, np.uint16, 7, 127),
    "float32": Carrier("float32", LANE32, np.uint32, 23, 127),
    "float64": Carrier("float64", LANE64, np.uint64, 52, 1023),
}
