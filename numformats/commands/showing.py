"""``numformats show`` and ``table``: one format or accelerator, explained; one format, code by
code."""

import difflib
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer

import numformats as nf
from numformats.accelerators.tables import to_dict
from numformats.commands.printing import AsJson, print_json, refusals
from numformats.describing import binades, facts
from numformats.explaining import explain
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.lanes import exponent

MOST_BITS = 16  #: of a table


def show(
    name: Annotated[
        str, typer.Argument(help="A format, an accelerator, or a .json or .toml file of one.")
    ],
    as_json: AsJson = False,
) -> None:
    """One format (layout, range, spacing, number line) or accelerator, in plain words."""
    with refusals("show"):
        found = _find(name)
        said: Any
        if not isinstance(found, FixedPoint | Float | BlockFloat):
            said = to_dict(found) if as_json else found.explain()
        elif as_json:
            said = facts(found).dict() | {"binades": [vars(b) for b in binades(found)]}
        else:
            said = explain(found)
    if as_json:
        print_json(said)
    else:
        print(said)


def _find(name: str) -> Any:
    """The format or accelerator called ``name``."""
    if Path(name).suffix in (".json", ".toml") or name in nf.accelerators():
        return nf.accelerator(name)
    try:
        return nf.parse(name)
    except ValueError as unknown:
        try:
            return nf.accelerator(name)
        except ValueError:
            if "<" in name:
                raise unknown from None
            known = [*nf.formats(), *nf.accelerators()]
            close = difflib.get_close_matches(name.lower(), known, n=3)
            hint = f"; did you mean {', '.join(map(repr, close))}?" if close else ";"
            raise ValueError(
                f"{name!r} is no format and no accelerator{hint} 'numformats list' and 'numformats "
                "accelerators' have all"
            ) from None


def table(
    fmt: Annotated[str, typer.Argument(help="A format, for example 'fixed<4,2>' or e4m3.")],
    as_json: AsJson = False,
) -> None:
    """All codes of a format (of the elements of a block format) and their values."""
    with refusals("table"):
        rows = list(_rows(fmt))
    if as_json:
        print_json(rows)
        return
    digits = len(str(len(rows) - 1))
    print(f"{'code':>{digits}}  {'hex':>6}  {'bits':{len(rows[0]['bits'])}}  value")
    for row in rows:
        print(f"{row['code']:>{digits}}  {row['hex']:>6}  {row['bits']}  {row['value']}")


def _number(value: Fraction | float) -> float | str:
    """``value``, in words where it is no float."""
    if isinstance(value, float):
        return value
    power = exponent(abs(value)) if value else 0
    if -1022 <= power <= 1023:
        return float(value)
    return f"{float(value / Fraction(2) ** power)} * 2**{power}"


def _rows(text: str) -> Any:
    fmt = nf.parse(text)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    if element.bits > MOST_BITS:
        raise ValueError(
            f"{fmt} has {2**element.bits:,} codes, too many to print ({MOST_BITS} bits at most); "
            f"write 'numformats show {text!r}'"
        )
    widths = [bits for _, bits in facts(fmt).layout]
    for code in range(1 << element.bits):
        raw, fields, at = f"{code:0{element.bits}b}", [], 0
        for bits in widths:
            fields.append(raw[at : at + bits])
            at += bits
        yield {
            "code": code, "hex": f"{code:#x}", "bits": " ".join(fields),
            "value": _number(element.value(code)),
        }  # fmt: skip
