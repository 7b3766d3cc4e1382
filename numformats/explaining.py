"""A format in words: layout, range, specials, spacing by binade, a number line."""

import numpy as np

from numformats.describing import Facts, binades, facts
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, Float, Format
from numformats.lanes import LANE64
from numformats.measuring import values
from numformats.naming import parse
from numformats.tasks import fits

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


def number_line(fmt: FormatLike, width: int = WIDTH) -> str:
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


def explain(fmt: FormatLike) -> str:
    """A format in words: layout, range, specials, spacing by binade, and a number line where
    float64 holds its values.

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
    if element.bits <= 16 and fits(element, LANE64):
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
