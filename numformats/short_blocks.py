"""Which blocks with float scales the 32-bit lane can round, and how they look there
(``core/quotient.py``)."""

from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from numformats.backends.task import Short
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.lanes import CARRIERS, LANE32, Carrier, exponent
from numformats.lowering import code_spec, low_exponent, lower
from numformats.rounding import Mode

_SINGLE = CARRIERS["float32"]
_PRECISION = 12  # bits of a value, half of what a quotient has
_REACH = 30  # binary exponents of values, and of what lies between them
_FACTOR = 5  # bits that a divisor has beside those of a float32


@lru_cache(maxsize=4096)
def saturating(fmt: FixedPoint | Float) -> FixedPoint | Float:
    """``fmt`` with every overflow at its largest value."""
    return replace(fmt, overflow="clamp") if isinstance(fmt, Float) else fmt


def _precision(fmt: FixedPoint | Float) -> int:
    return fmt.word_bits if isinstance(fmt, FixedPoint) else fmt.man_bits + 1


def _small(fmt: FixedPoint | Float) -> bool:
    """Whether float32 holds all values, and what lies between them, with room to spare."""
    inside = low_exponent(fmt) > -_REACH and exponent(Fraction(fmt.max)) < _REACH
    return inside and _precision(fmt) <= _PRECISION


def _divides(fmt: BlockFloat) -> bool:
    """Whether divisors are short, and neither they nor quotients leave float32."""
    largest, scale = Fraction(fmt.element.max), fmt.scale.exact_max
    if min(scale, largest * scale) < 1:
        return False
    factors = largest.numerator >> (largest.numerator & -largest.numerator).bit_length() - 1
    bits = max(factors.bit_length(), _precision(fmt.scale))
    return bits <= _FACTOR or not fmt.tensor_scale


@lru_cache(maxsize=4096)
def short(fmt: BlockFloat, mode: Mode, level_mode: Mode, carrier: Carrier) -> Short | None:
    """Blocks of ``fmt`` on ``carrier`` in the 32-bit lane, if results are the same, or drawn: a
    stochastic mode sees the quotient as a float32, rounded to odd (docs/decisions/0026)."""
    plain = level_mode.fraction == "halves" and (mode.fraction == "halves" or mode.stochastic)
    if not (plain and carrier.lane is LANE32 and _divides(fmt)):
        return None
    if not (_small(fmt.element) and _small(fmt.scale)):
        return None
    element, scale = saturating(fmt.element), saturating(fmt.scale)
    found = Short(
        lower(scale, _SINGLE, level_mode),
        code_spec(scale, LANE32),
        lower(element, _SINGLE, mode),
        code_spec(element, LANE32),
    )
    finite = all(low.saturating and not low.general for low in (found.level, found.element))
    return found if finite else None
