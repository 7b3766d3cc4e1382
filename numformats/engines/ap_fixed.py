"""``ap_fixed<W, I, Q, O, N>`` of high-level synthesis: seven ways to round, five to overflow."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numformats.checks import choice, flag, integer

# Whether to add one unit to the floor: g the first dropped bit, r whether any later one is set, s
# the sign, b the last kept bit.
QUANTIZATIONS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "AP_TRN": lambda g, r, s, b: np.zeros_like(g),
    "AP_TRN_ZERO": lambda g, r, s, b: s & (g | r),
    "AP_RND": lambda g, r, s, b: g,
    "AP_RND_ZERO": lambda g, r, s, b: g & (s | r),
    "AP_RND_MIN_INF": lambda g, r, s, b: g & r,
    "AP_RND_INF": lambda g, r, s, b: g & (~s | r),
    "AP_RND_CONV": lambda g, r, s, b: g & (b | r),
}
OVERFLOWS = ("AP_WRAP", "AP_SAT", "AP_SAT_ZERO", "AP_SAT_SYM", "AP_WRAP_SM")


@dataclass(frozen=True)
class ApFixed:
    """A fixed-point word of ``word_bits`` with ``int_bits`` before the point (sign included).

    ``apply`` takes integers in units of 2^-``input_frac_bits`` and gives the word's integers, in
    units of 2^-(word_bits - int_bits): first quantized, then tested for overflow.

    Args:
        word_bits: W, 1 to 48; int_bits: I, any integer within 48 of it.
        input_frac_bits: bits after the point of what comes.
        signed: ``ap_fixed``, else ``ap_ufixed``.
        quantization: Q, ``"AP_TRN"`` (toward -Inf), ``"AP_TRN_ZERO"``, or nearest with ties up
            (``"AP_RND"``), to zero (``"AP_RND_ZERO"``), down (``"AP_RND_MIN_INF"``), away
            (``"AP_RND_INF"``) or to even (``"AP_RND_CONV"``).
        overflow: O, ``"AP_WRAP"``, ``"AP_SAT"``, ``"AP_SAT_ZERO"``, ``"AP_SAT_SYM"`` (signed: the
            smallest is minus the largest), ``"AP_WRAP_SM"`` (signed).
        saturated_bits: N, for the wrapping modes, 0 to W: where the word overflows, its N leading
            bits are those of the largest integer (of a negative input: the smallest; unsigned:
            ones), and only the others wrap.

    Promise: exact.

    Raises:
        ValueError: unknown names, widths out of range.

    Example:
        >>> word = ApFixed(16, 8, 20, quantization="AP_RND_CONV", overflow="AP_SAT")

    Reference: AMD Vitis HLS User Guide (UG1399), Arbitrary Precision Fixed-Point Data Types.
    """

    word_bits: int
    int_bits: int
    input_frac_bits: int
    signed: bool = field(default=True, kw_only=True)
    quantization: str = field(default="AP_TRN", kw_only=True)
    overflow: str = field(default="AP_WRAP", kw_only=True)
    saturated_bits: int = field(default=0, kw_only=True)
    input_bits = 48  #: of accumulators, those of a DSP slice

    def __post_init__(self) -> None:
        integer("word_bits", self.word_bits, 1, 48)
        integer("int_bits", self.int_bits, self.word_bits - 48, self.word_bits + 48)
        integer("input_frac_bits", self.input_frac_bits, -48, 96)
        flag("signed", self.signed)
        choice("quantization", self.quantization, tuple(QUANTIZATIONS))
        choice("overflow", self.overflow, OVERFLOWS)
        if not self.signed and self.overflow == "AP_WRAP_SM":
            raise ValueError("overflow='AP_WRAP_SM' with signed=False; write 'AP_WRAP'")
        integer("saturated_bits", self.saturated_bits, 0, self.word_bits)
        if self.saturated_bits and not self.overflow.startswith("AP_WRAP"):
            raise ValueError(
                f"saturated_bits={self.saturated_bits} with overflow={self.overflow!r}, which "
                "saturates them all; write 0, or overflow='AP_WRAP'"
            )
        drop = self.input_frac_bits - (self.word_bits - self.int_bits)
        if not -14 <= drop <= 62:
            raise ValueError(
                f"word_bits={self.word_bits}, int_bits={self.int_bits} has {-drop} more bits after "
                f"the point than the input ({self.input_frac_bits}); from -62 to 14 are possible"
            )

    @property
    def low(self) -> int:
        """Smallest integer of the word."""
        if not self.signed:
            return 0
        return -(1 << (self.word_bits - 1)) + (self.overflow == "AP_SAT_SYM")

    @property
    def high(self) -> int:
        """Largest integer of the word."""
        return (1 << (self.word_bits - self.signed)) - 1

    def apply(self, acc: Any) -> Any:
        """int64 ``acc`` (of at most 48 bits) of any shape as integers of the word; int64."""
        return self._limited(self._quantized(acc))

    def _quantized(self, acc: Any) -> Any:
        drop = self.input_frac_bits - (self.word_bits - self.int_bits)
        if drop <= 0:
            return acc << np.int64(-drop)
        n = np.int64(drop)
        kept, first = acc >> n, acc >> (n - 1) & 1
        rest = acc & ((np.int64(1) << (n - 1)) - 1)
        bits = (first == 1, rest != 0, acc < 0, kept & 1 == 1)
        return kept + QUANTIZATIONS[self.quantization](*bits)

    def _limited(self, x: Any) -> Any:
        outside = (x < self.low) | (x > self.high)
        if self.overflow in ("AP_SAT", "AP_SAT_SYM"):
            return np.clip(x, self.low, self.high)
        if self.overflow == "AP_SAT_ZERO":
            return np.where(outside, 0, x)
        word = np.int64(1) << self.word_bits
        wrapped = x & (word - 1)
        if self.overflow == "AP_WRAP_SM":
            wrapped = np.where(self._flips(x, wrapped), wrapped ^ (word - 1), wrapped)
        wrapped = self._with_leading(x, wrapped)
        signed = np.where(self.signed & (wrapped >= word >> 1), wrapped - word, wrapped)
        return np.where(outside, signed, x)

    def _flips(self, x: Any, wrapped: Any) -> Any:
        """Whether sign-magnitude wrapping turns all bits over."""
        top = wrapped >> (self.word_bits - max(self.saturated_bits, 1)) & 1
        if self.saturated_bits > 1:
            return top == (x < 0)
        return top != ((x < 0) if self.saturated_bits else x >> self.word_bits & 1)

    def _with_leading(self, x: Any, wrapped: Any) -> Any:
        """``wrapped`` with the leading bits that do not wrap."""
        top = np.int64(1) << (self.word_bits - 1)
        if not self.saturated_bits:
            if self.overflow != "AP_WRAP_SM":
                return wrapped
            return wrapped & (top - 1) | np.where(x >> self.word_bits & 1, top, 0)
        low = (np.int64(1) << (self.word_bits - self.saturated_bits)) - 1
        edge = np.where((x < 0) & self.signed, np.int64(self.low), np.int64(self.high))
        return wrapped & low | edge & (2 * top - 1) & ~low
