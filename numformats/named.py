"""What all formats share: their text form, and exact numbers shown as floats."""

from fractions import Fraction
from typing import TypeAlias

Number: TypeAlias = float | Fraction


def as_number(value: Fraction) -> Number:
    """``value`` as a float where float64 holds it exactly, else the fraction itself."""
    try:
        return float(value) if Fraction(float(value)) == value else value
    except OverflowError:
        return value


class Named:
    """A format prints as the shortest text that ``parse`` takes back."""

    def __str__(self) -> str:
        from numformats.naming import name_of

        return name_of(self)  # type: ignore[arg-type]
