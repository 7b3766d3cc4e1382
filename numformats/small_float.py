"""Small floats: sign, exponent, trailing significand, in any widths and with any specials."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from numformats.checks import choice, flag, integer
from numformats.lanes import exponent
from numformats.named import Named, Number, as_number

SPECIALS = ("ieee", "fn", "fnuz", "finite", "p3109", "p3109_finite")
FLOAT_OVERFLOWS = ("saturate", "clamp", "infinity", "nan")


@dataclass(frozen=True)
class Float(Named):
    """A small binary floating-point format.

    Args:
        exp_bits: exponent field, 1 to 16 bits.
        man_bits: trailing significand field, 0 to 52 bits (precision is ``man_bits + 1``).
        bias: exponent bias; by default ``2**(exp_bits-1) - 1``, and ``2**(exp_bits-1)`` for fnuz
            and P3109.
        signed: a sign bit, sign and magnitude.
        subnormals: if false, exponent field 0 holds zero only.
        zero: if false (needs unsigned, no subnormals), code 0 is the smallest power of two, as in
            E8M0.
        specials: ``"ieee"`` top exponent holds Inf and NaN; ``"fn"`` all ones is NaN, no Inf;
            ``"fnuz"`` NaN is the code of -0, one zero, no Inf; ``"finite"`` neither; ``"p3109"``
            and ``"p3109_finite"`` as IEEE P3109.
        overflow: ``"saturate"`` (finite results beyond the range give ±max, Inf stays where the
            format has one: P3109 SatPropagate), ``"clamp"`` (Inf too: OCP saturating mode, P3109
            SatFinite), ``"infinity"`` (IEEE 754, P3109 SatNone), ``"nan"`` (OCP non-saturating
            E4M3).

    Raises:
        TypeError, ValueError: impossible widths, unknown names, combinations without meaning.
    """

    exp_bits: int
    man_bits: int
    bias: int | None = field(default=None, kw_only=True)
    signed: bool = field(default=True, kw_only=True)
    subnormals: bool = field(default=True, kw_only=True)
    zero: bool = field(default=True, kw_only=True)
    specials: str = field(default="ieee", kw_only=True)
    overflow: str = field(default="saturate", kw_only=True)

    def __post_init__(self) -> None:
        integer("exp_bits", self.exp_bits, 1, 16)
        integer("man_bits", self.man_bits, 0, 52)
        choice("specials", self.specials, SPECIALS)
        choice("overflow", self.overflow, FLOAT_OVERFLOWS)
        for name in ("signed", "subnormals", "zero"):
            flag(name, getattr(self, name))
        if self.bias is None:
            object.__setattr__(self, "bias", self.default_bias)
        integer("bias", self.bias, -(1 << 16), 1 << 16)
        self._check_layout()

    def _check_layout(self) -> None:
        what = f"exp_bits={self.exp_bits}, man_bits={self.man_bits}, specials={self.specials!r}"
        if self.specials == "ieee" and self.man_bits == 0:
            raise ValueError(f"{what}: no code is left for NaN; write specials='finite' or 'fn'")
        if self.specials == "fnuz" and not self.signed:
            raise ValueError(f"{what}, signed=False: fnuz puts NaN at the code of -0; use 'fn'")
        if not self.zero and (self.signed or self.subnormals):
            raise ValueError(
                f"zero=False with signed={self.signed}, subnormals={self.subnormals}: only "
                f"unsigned "
                "formats without subnormals lack a zero; write signed=False, subnormals=False"
            )
        if self.max_code < 1 or (not self.subnormals and self.zero and not self._has_normals):
            raise ValueError(f"{what}: the format has no finite value besides zero; add bits")
        if self.overflow == "infinity" and not self.has_inf:
            raise ValueError(
                f"{what} has no Inf: overflow='infinity' is impossible; use 'saturate' or 'nan'"
            )
        if self.overflow == "nan" and not self.has_nan:
            raise ValueError(f"{what} has no NaN: overflow='nan' is impossible; use 'saturate'")

    @property
    def _has_normals(self) -> bool:
        return self.max_code >> self.man_bits > 0

    @property
    def default_bias(self) -> int:
        """The bias that the family prescribes."""
        family = self.specials in ("fnuz", "p3109", "p3109_finite")
        return (1 << (self.exp_bits - 1)) - (0 if family else 1)

    @property
    def exponent_bias(self) -> int:
        """The bias in use, as an int."""
        assert self.bias is not None
        return self.bias

    @property
    def bits(self) -> int:
        """Stored bits of one value."""
        return self.signed + self.exp_bits + self.man_bits

    @property
    def has_nan(self) -> bool:
        """Whether some code is NaN."""
        return self.specials != "finite"

    @property
    def has_inf(self) -> bool:
        """Whether some code is Inf."""
        return self.specials in ("ieee", "p3109")

    @property
    def has_negative_zero(self) -> bool:
        """Whether -0 has a code of its own."""
        return self.signed and self.specials in ("ieee", "fn", "finite")

    @property
    def _all_ones(self) -> int:
        return (1 << (self.exp_bits + self.man_bits)) - 1

    @property
    def inf_code(self) -> int:
        """Code of +Inf (only where ``has_inf``)."""
        if self.specials == "ieee":
            return self._all_ones >> self.man_bits << self.man_bits
        return self._all_ones - (not self.signed)

    @property
    def nan_code(self) -> int:
        """Code of the canonical NaN (only where ``has_nan``)."""
        if self.specials == "ieee":
            return self.inf_code | 1 << (self.man_bits - 1)
        if self.specials == "fn" or not self.signed:
            return self._all_ones
        return 1 << (self.bits - 1)

    @property
    def max_code(self) -> int:
        """Code of the largest finite value."""
        if self.has_inf:
            return self.inf_code - 1
        nan_on_top = self.specials == "fn" or (self.specials == "p3109_finite" and not self.signed)
        return self._all_ones - nan_on_top

    @property
    def emin(self) -> int:
        """Exponent of the smallest normal value."""
        return -self.exponent_bias + self.zero

    @property
    def emax(self) -> int:
        """Exponent of the largest finite value: ``floor(log2(max))``."""
        return exponent(self.exact_max)

    @property
    def low_exponent(self) -> int:
        """Exponent of the gap below the smallest normal value."""
        return self.emin - (self.man_bits if self.subnormals else 0)

    @cached_property
    def exact_max(self) -> Fraction:
        """Largest finite value as a fraction."""
        return self.magnitude(self.max_code)

    @property
    def max(self) -> Number:
        """Largest finite value (a ``Fraction`` where float64 cannot hold it)."""
        return as_number(self.exact_max)

    @property
    def min(self) -> Number:
        """Smallest value: ``-max``, or the smallest of an unsigned format."""
        return as_number(-self.exact_max) if self.signed else as_number(self.magnitude(0))

    @property
    def smallest_normal(self) -> Number:
        """``2**emin``."""
        return as_number(Fraction(2) ** self.emin)

    @property
    def smallest_subnormal(self) -> Number | None:
        """``2**(emin - man_bits)``; ``None`` in formats without subnormals."""
        has = self.subnormals and self.man_bits > 0
        return as_number(Fraction(2) ** self.low_exponent) if has else None

    @property
    def smallest(self) -> Number:
        """Smallest positive value."""
        return as_number(Fraction(2) ** self.low_exponent)

    @property
    def code_count(self) -> int:
        """Number of codes, specials included."""
        return 1 << self.bits

    def magnitude(self, code: int) -> Fraction:
        """Exact value of a magnitude code (no sign, not a special)."""
        e, t = code >> self.man_bits, code & ((1 << self.man_bits) - 1)
        if e == 0 and self.zero:
            return t * Fraction(2) ** self.low_exponent if self.subnormals else Fraction(0)
        return ((1 << self.man_bits) + t) * Fraction(2) ** (e - self.exponent_bias - self.man_bits)

    def value(self, code: int) -> Fraction | float:
        """Exact value of a stored code; NaN, ±inf and -0.0 as floats."""
        code &= (1 << self.bits) - 1
        mag, negative = code & self._all_ones, bool(code >> (self.exp_bits + self.man_bits))
        if (code == self.nan_code and self.has_nan) or (
            mag > self.max_code and not self._is_inf(mag)
        ):
            return float("nan")
        if self._is_inf(mag):
            return float("-inf") if negative else float("inf")
        size = self.magnitude(mag)
        if negative and not size:
            return -0.0
        return -size if negative else size

    def _is_inf(self, mag: int) -> bool:
        return self.has_inf and mag == self.inf_code


E8M0 = Float(8, 0, bias=127, signed=False, subnormals=False, zero=False, specials="fn")
