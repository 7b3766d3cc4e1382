"""Fixed point: integers times a power of two."""

from dataclasses import dataclass, field
from fractions import Fraction

from numformats.checks import choice, flag, integer
from numformats.named import Named, Number, as_number

FIXED_OVERFLOWS = ("saturate", "wrap")


@dataclass(frozen=True)
class FixedPoint(Named):
    """Two's complement (or unsigned) integers times ``2**-frac_bits``.

    Args:
        word_bits: 1 to 32, the sign included.
        frac_bits: -960 to 960; may exceed ``word_bits`` or be negative.
        signed: two's complement if true.
        symmetric: drop the most negative code, so that the range is ±max.
        overflow: ``"saturate"`` (Inf too), or ``"wrap"`` modulo ``2**word_bits`` (Inf becomes NaN).

    Values: ``code * 2**-frac_bits``; there is no negative zero, no NaN and no Inf.

    Raises:
        TypeError, ValueError: impossible widths or unknown names.
    """

    word_bits: int
    frac_bits: int
    signed: bool = field(default=True, kw_only=True)
    symmetric: bool = field(default=False, kw_only=True)
    overflow: str = field(default="saturate", kw_only=True)

    def __post_init__(self) -> None:
        integer("word_bits", self.word_bits, 1, 32)
        integer("frac_bits", self.frac_bits, -960, 960)
        flag("signed", self.signed)
        flag("symmetric", self.symmetric)
        choice("overflow", self.overflow, FIXED_OVERFLOWS)
        if self.symmetric and not (self.signed and self.word_bits > 1):
            raise ValueError(
                f"symmetric=True with signed={self.signed}, word_bits={self.word_bits}: only "
                "signed formats of 2 or more bits have a most negative code; leave symmetric out"
            )
        if self.symmetric and self.overflow == "wrap":
            raise ValueError(
                "symmetric=True with overflow='wrap': a symmetric range is not a full set of "
                "residues; write overflow='saturate' or symmetric=False"
            )

    @property
    def bits(self) -> int:
        """Stored bits of one value."""
        return self.word_bits

    @property
    def max_code(self) -> int:
        """Largest integer code."""
        return (1 << (self.word_bits - self.signed)) - 1

    @property
    def min_code(self) -> int:
        """Smallest (most negative) integer code."""
        return -(self.max_code + (not self.symmetric)) if self.signed else 0

    @property
    def quantum(self) -> Fraction:
        """The gap between neighbours, ``2**-frac_bits``."""
        return Fraction(2) ** -self.frac_bits

    @property
    def max(self) -> Number:
        """Largest value."""
        return as_number(self.max_code * self.quantum)

    @property
    def min(self) -> Number:
        """Smallest (most negative) value."""
        return as_number(self.min_code * self.quantum)

    @property
    def smallest(self) -> Number:
        """Smallest positive value."""
        return as_number(self.quantum)

    smallest_normal = smallest
    smallest_subnormal = smallest

    @property
    def code_count(self) -> int:
        """Number of codes in use."""
        return self.max_code - self.min_code + 1

    has_nan = False
    has_inf = False
    has_negative_zero = False

    def value(self, code: int) -> Fraction:
        """Exact value of a stored (unsigned) code."""
        code &= (1 << self.word_bits) - 1
        if self.signed and code >> (self.word_bits - 1):
            code -= 1 << self.word_bits
        return code * self.quantum
