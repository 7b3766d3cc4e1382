"""What a format is, as facts and in words: layout, range, specials, spacing, a number line."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.measuring import values
from numformats.naming import parse

WIDTH = 72  # columns of a number line
LEVELS = " ▁▂▃▄▅▆▇█"
ROWS = 20  # of a table of binades, before its middle is left out
SPECIALS = {
    "ieee": "the top exponent holds Inf and NaN",
    "fn": "all ones is NaN; no Inf",
    "fnuz": "the code of -0 is NaN; no Inf",
    "finite": "no Inf, no NaN",
    "p3109": "one NaN, and Inf (IEEE P3109)",
    "p3109_finite": "one NaN, no Inf (IEEE P3109)",
}
OVERFLOWS = {
    "saturate": "the largest value; Inf stays Inf",
    "clamp": "the largest value, for Inf, too",
    "infinity": "Inf, as IEEE 754",
    "nan": "NaN",
    "wrap": "modulo the word (two's complement)",
}


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


def facts(fmt: Format | str) -> Facts:
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


def binades(fmt: Format | str) -> list[Binade]:
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


def number_line(fmt: Format | str, width: int = WIDTH) -> str:
    """Two lines: how many values lie in each of ``width`` equal parts of the range (a bar, in steps
    of powers of two), and the ends. Of the elements, for block formats.

    Raises:
        ValueError: more than 16 bits.
    """
    fmt = parse(fmt)
    points = values(fmt)
    low, high = float(points[0]), float(points[-1])
    places = np.minimum(((points - low) / (high - low) * width).astype(int), width - 1)
    counts = np.bincount(places, minlength=width)
    most = max(1.0, float(np.log2(counts.max())))
    steps = np.where(
        counts > 0, 1 + np.round(np.log2(np.maximum(counts, 1)) / most * (len(LEVELS) - 2)), 0
    )
    bars = "".join(LEVELS[int(step)] for step in steps)
    left, right = f"{low:g}", f"{high:g}"
    middle = "0" if low < 0 < high else ""
    at = round(-low / (high - low) * width) if middle else 0
    ends = left.ljust(max(at, len(left) + 1))[: max(at, len(left) + 1)] + middle
    return f"{bars}\n{ends}{right.rjust(width - len(ends))}"


def explain(fmt: Format | str) -> str:
    """A format in words: layout, range, specials, spacing by binade, number line.

    Raises:
        ValueError: an unknown name.
    """
    fmt = parse(fmt)
    found = facts(fmt)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    lines = [_title(fmt, found), ""]
    if isinstance(fmt, BlockFloat):
        lines += [f"  block      {found.block}", f"  scale      {found.scale}"]
        lines += [f"  elements   {element}"]
    lines.append(f"  layout     {_drawn(found.layout)}")
    lines.append(f"  range      {found.min:g} to {found.max:g}, {found.codes:,} codes")
    if isinstance(element, Float):
        lines += _float_words(element, found)
    else:
        lines.append(f"  spacing    {found.smallest:g} throughout")
    overflow = "clamp" if found.overflow == "saturate" and not found.infinities else found.overflow
    lines.append(f"  overflow   {OVERFLOWS[overflow]}")
    if isinstance(element, Float):
        lines += ["", *_binade_table(element)]
    if element.bits <= 16:
        lines += ["", *(f"  {line}" for line in number_line(fmt).splitlines())]
    return "\n".join(line.rstrip() for line in lines)


def _title(fmt: Format, found: Facts) -> str:
    kind = {"FixedPoint": "fixed point", "Float": "floating point", "BlockFloat": "blocks"}
    text = f"{found.name}: {kind[type(fmt).__name__]}, {found.bits} bits"
    if isinstance(fmt, BlockFloat):
        text += f" an element, {found.bits_per_value:g} with its share of the scale"
    return text


def _drawn(layout: tuple[tuple[str, int], ...]) -> str:
    """``s eeee mmm (sign 1, exponent 4, significand 3)``."""
    letters = {"sign": "s", "exponent": "e", "significand": "m", "integer": "i", "fraction": "f"}
    fields = " ".join(letters.get(name, "c") * bits for name, bits in layout)
    return f"{fields}  ({', '.join(f'{name} {bits}' for name, bits in layout)})"


def _float_words(element: Float, found: Facts) -> list[str]:
    smallest = f"smallest normal {found.smallest_normal:g}"
    if element.smallest_subnormal is not None:
        smallest += f", subnormal {found.smallest:g}"
    elif not element.subnormals:
        smallest += ", no subnormals"
    zeros = "no zero" if not element.zero else "±0" if found.negative_zero else "one zero"
    return [
        f"             {smallest}",
        f"  precision  {_count(element.man_bits + 1, 'bit')}, exponents {element.emin} to "
        f"{element.emax}, bias {element.exponent_bias}",
        f"  specials   {SPECIALS[element.specials]}; {zeros}",
    ]


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"


def _binade_table(element: Float) -> list[str]:
    rows = binades(element)
    lines = [f"  {'from':>12} {'below':>12} {'spacing':>12} {'values':>8}"]
    drawn = [f"  {b.low:12g} {b.high:12g} {b.spacing:12g} {b.values:8}" for b in rows]
    if len(drawn) > ROWS:
        half = ROWS // 2
        drawn = [
            *drawn[:half],
            f"  {'...':>12} ({_count(len(drawn) - ROWS, 'binade')})",
            *drawn[-half:],
        ]
    return lines + drawn
