"""Number formats as frozen, validated data: fixed point, small floats, block floats."""

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

from numformats.checks import choice, flag, integer

Number: TypeAlias = float | Fraction

SPECIALS = ("ieee", "fn", "fnuz", "finite", "p3109", "p3109_finite")
FLOAT_OVERFLOWS = ("saturate", "clamp", "infinity", "nan")
FIXED_OVERFLOWS = ("saturate", "wrap")
SCALE_RULES = ("floor", "ceil", "rceil", "even")


def as_number(value: Fraction) -> Number:
    """``value`` as a float where float64 holds it exactly, else the fraction itself."""
    try:
        return float(value) if Fraction(float(value)) == value else value
    except OverflowError:
        return value


class _Named:
    """Text forms shared by all formats: ``str`` is the shortest text that ``parse`` takes back."""

    def __str__(self) -> str:
        from numformats.naming import name_of

        return name_of(self)  # type: ignore[arg-type]


@dataclass(frozen=True)
class FixedPoint(_Named):
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


@dataclass(frozen=True)
class Float(_Named):
    """A small binary floating-point format.

    Args:
        exp_bits: exponent field, 1 to 16 bits.
        man_bits: trailing significand field, 0 to 52 bits (precision is ``man_bits + 1``).
        bias: exponent bias; by default ``2**(exp_bits-1) - 1``, and ``2**(exp_bits-1)`` for fnuz and P3109.
        signed: a sign bit, sign and magnitude.
        subnormals: if false, exponent field 0 holds zero only.
        zero: if false (needs unsigned, no subnormals), code 0 is the smallest power of two, as in E8M0.
        specials: ``"ieee"`` top exponent holds Inf and NaN; ``"fn"`` all ones is NaN, no Inf; ``"fnuz"`` NaN is the
            code of -0, one zero, no Inf; ``"finite"`` neither; ``"p3109"`` and ``"p3109_finite"`` as IEEE P3109.
        overflow: ``"saturate"`` (finite results beyond the range give ±max, Inf stays where the format has one: P3109
            SatPropagate), ``"clamp"`` (Inf too: OCP saturating mode, P3109 SatFinite), ``"infinity"`` (IEEE 754, P3109
            SatNone), ``"nan"`` (OCP non-saturating E4M3).

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
                f"zero=False with signed={self.signed}, subnormals={self.subnormals}: only unsigned "
                "formats without subnormals lack a zero; write signed=False, subnormals=False"
            )
        if self.max_code < 1 or (not self.subnormals and self.zero and not self._has_normals):
            raise ValueError(f"{what}: the format has no finite value besides zero; add bits")
        if self.overflow == "infinity" and not self.has_inf:
            raise ValueError(f"{what} has no Inf: overflow='infinity' is impossible; use 'saturate' or 'nan'")
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
        top = self.exact_max
        e = top.numerator.bit_length() - top.denominator.bit_length()
        return e if Fraction(2) ** e <= top else e - 1

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
        if code == self.nan_code and self.has_nan or (mag > self.max_code and not self._is_inf(mag)):
            return float("nan")
        if self._is_inf(mag):
            return float("-inf") if negative else float("inf")
        size = self.magnitude(mag)
        if negative and not size:
            return -0.0
        return -size if negative else size

    def _is_inf(self, mag: int) -> bool:
        return self.has_inf and mag == self.inf_code


@dataclass(frozen=True)
class BlockFloat(_Named):
    """Blocks of elements that share a scale.

    Args:
        element: ``FixedPoint`` (mantissas of classic block floating point, MXINT8) or ``Float`` (MX, NVFP4).
        block_size: elements a block; ``None`` for the whole axis; a tuple for tiles along several axes.
        scale: an unsigned or signed ``Float`` for the scales; only its positive values are used.
        axis: the axis (or axes, as a tuple) along which blocks run; ``None`` with ``block_size=None`` is the whole array.
        scale_rule: ``"floor"`` (OCP), ``"ceil"``, ``"rceil"``, ``"even"``.
        tensor_scale: a second, float32 scale for the whole array (NVFP4).

    The last block of an axis may be shorter. See ``scaling.py`` for the rules.
    """

    element: FixedPoint | Float
    block_size: int | tuple[int, ...] | None
    scale: Float = field(default_factory=lambda: _E8M0, kw_only=True)
    axis: int | tuple[int, ...] | None = field(default=-1, kw_only=True)
    scale_rule: str = field(default="floor", kw_only=True)
    tensor_scale: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.element, (FixedPoint, Float)):
            raise TypeError(f"element is {self.element!r}; give a FixedPoint or a Float")
        if not isinstance(self.scale, Float):
            raise TypeError(f"scale is {self.scale!r}; give a Float, for example nf.E8M0")
        choice("scale_rule", self.scale_rule, SCALE_RULES)
        flag("tensor_scale", self.tensor_scale)
        self._check_axes()
        if isinstance(self.element, Float) and not self.element.zero:
            raise ValueError(f"element {self.element} has no zero, and an all-zero block could not be stored")
        if isinstance(self.element, FixedPoint) and self.element.overflow == "wrap":
            raise ValueError("element wraps around; elements of a block saturate: use overflow='saturate'")
        if self.tensor_scale and self.power_of_two_scale:
            raise ValueError(f"tensor_scale=True needs a scale with man_bits > 0, scale is {self.scale}")

    def _check_axes(self) -> None:
        sizes = self.block_size if isinstance(self.block_size, tuple) else (self.block_size,)
        for size in sizes:
            if size is not None:
                integer("block_size", size, 1, 1 << 40)
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        for axis in axes:
            if axis is not None:
                integer("axis", axis, -32, 31)
        if len(sizes) != len(axes) and self.block_size is not None:
            raise ValueError(
                f"block_size={self.block_size!r} and axis={self.axis!r} differ in length; "
                "give one size an axis, for example block_size=(16, 16), axis=(-2, -1)"
            )
        if self.axis is None and self.block_size is not None:
            raise ValueError("axis=None means one block for the whole array; write block_size=None")

    @property
    def power_of_two_scale(self) -> bool:
        """Whether every scale is a power of two."""
        return self.scale.man_bits == 0

    @property
    def bits(self) -> int:
        """Stored bits of one element, without its share of the scale."""
        return self.element.bits

    @property
    def bits_per_value(self) -> float:
        """Stored bits a value, the scale shared by a full block included (``block_size=None``: without it)."""
        if self.block_size is None:
            return float(self.element.bits)
        sizes = self.block_size if isinstance(self.block_size, tuple) else (self.block_size,)
        count = 1
        for size in sizes:
            count *= size
        return self.element.bits + self.scale.bits / count

    @property
    def element_emax(self) -> int:
        """Exponent of the largest element: the OCP ``emax_elem``."""
        if isinstance(self.element, Float):
            return self.element.emax
        return self.element.max_code.bit_length() - 1 - self.element.frac_bits

    @property
    def max(self) -> Number:
        """Largest value of any block (without the tensor scale)."""
        return as_number(Fraction(self.element.max) * self.scale.exact_max)

    @property
    def min(self) -> Number:
        """Smallest value of any block."""
        return as_number(Fraction(self.element.min) * self.scale.exact_max)

    @property
    def code_count(self) -> int:
        """Number of element codes."""
        return self.element.code_count


Format: TypeAlias = FixedPoint | Float | BlockFloat
_E8M0 = Float(8, 0, bias=127, signed=False, subnormals=False, zero=False, specials="fn")
