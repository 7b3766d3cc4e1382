"""What a format is, in numbers: layout, range, specials, spacing."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.naming import parse


@dataclass(frozen=True)
class Binade:
    """Values from ``low`` up to, not including, ``high``: equally spaced."""

    low: float
    high: float
    spacing: float
    values: int


@dataclass(frozen=True)
class Facts:
    """A format in numbers; of a block format, its elements, and then its scales."""

    name: str
    bits: int  #: of one stored element
    bits_per_value: float  #: with its share of a block's scale
    layout: tuple[tuple[str, int], ...]  #: fields from the top bit down
    codes: int
    max: float
    min: float
    smallest_normal: float | None
    smallest: float
    negative_zero: bool
    infinities: bool
    nan: bool
    overflow: str
    scale: str | None = None
    block: str | None = None

    def dict(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def facts(fmt: FormatLike) -> Facts:
    """What ``fmt`` holds; numbers beyond float64 are rounded to it.

    Raises:
        ValueError: an unknown name.

    Example:
        >>> facts("e4m3").max, facts("e4m3").layout
        (448.0, (('sign', 1), ('exponent', 4), ('significand', 3)))
    """
    fmt = parse(fmt)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    normal = None if isinstance(element, FixedPoint) else _real(element.smallest_normal)
    return Facts(
        name=str(fmt),
        bits=fmt.bits,
        bits_per_value=fmt.bits_per_value if isinstance(fmt, BlockFloat) else float(fmt.bits),
        layout=tuple(_layout(element)),
        codes=fmt.code_count,
        max=_real(element.max),
        min=_real(element.min),
        smallest_normal=normal,
        smallest=_real(element.smallest),
        negative_zero=element.has_negative_zero,
        infinities=element.has_inf,
        nan=element.has_nan,
        overflow=element.overflow,
        scale=_scale(fmt) if isinstance(fmt, BlockFloat) else None,
        block=_block(fmt) if isinstance(fmt, BlockFloat) else None,
    )


def _real(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")


def _layout(element: FixedPoint | Float) -> Iterator[tuple[str, int]]:
    if isinstance(element, Float):
        fields = (("sign", int(element.signed)), ("exponent", element.exp_bits))
        yield from ((name, bits) for name, bits in fields if bits)
        if element.man_bits:
            yield "significand", element.man_bits
        return
    whole = element.word_bits - element.signed - element.frac_bits
    if element.signed:
        yield "sign", 1
    if 0 <= element.frac_bits <= element.word_bits - element.signed:
        yield from ((n, b) for n, b in (("integer", whole), ("fraction", element.frac_bits)) if b)
    else:
        yield "code", element.word_bits - element.signed


def _scale(fmt: BlockFloat) -> str:
    return f"{fmt.scale}, rule {fmt.scale_rule}" + (
        ", and a float32 scale of the whole tensor" if fmt.tensor_scale else ""
    )


def _block(fmt: BlockFloat) -> str:
    if fmt.block_size is None:
        return "the whole array" if fmt.axis is None else f"a whole slice along axis {fmt.axis}"
    if isinstance(fmt.block_size, tuple):
        return f"tiles of {' x '.join(map(str, fmt.block_size))} on axes {fmt.axis}"
    return f"{fmt.block_size} along axis {fmt.axis}"


def binades(fmt: FormatLike) -> list[Binade]:
    """The positive values of ``fmt`` (of the elements, for block formats) in stretches of equal
    spacing, ascending.

    Example:
        >>> [(b.low, b.spacing, b.values) for b in binades("e2m1")]
        [(0.5, 0.5, 1), (1.0, 0.5, 2), (2.0, 1.0, 2), (4.0, 2.0, 2)]
    """
    fmt = parse(fmt)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    if isinstance(element, FixedPoint):
        gap, top = element.quantum, Fraction(element.max)
        return [Binade(_real(gap), _real(top + gap), _real(gap), element.max_code)]
    found = []
    if element.subnormals and element.man_bits:
        low, top = Fraction(2) ** element.low_exponent, Fraction(2) ** element.emin
        found.append(Binade(_real(low), _real(top), _real(low), (1 << element.man_bits) - 1))
    for e in range(element.emin, element.emax + 1):
        low = Fraction(2) ** e
        gap = low / (1 << element.man_bits)
        last = min(Fraction(element.exact_max), 2 * low - gap)
        count = int((last - low) / gap) + 1
        found.append(Binade(_real(low), _real(2 * low), _real(gap), count))
    return found
