"""``numformats list``, ``accelerators``, ``backends``: what there is."""

from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

import numformats as nf
from numformats.commands.printing import AsJson, print_json, refusals
from numformats.describing import facts
from numformats.formats import BlockFloat, FixedPoint, Float

KINDS: dict[str, tuple[type, ...]] = {
    "float": (Float,), "fixed": (FixedPoint,), "block": (BlockFloat,),
}  # fmt: skip


def list_formats(
    kind: Annotated[str, typer.Option(help="Only these: float, fixed or block.")] = "",
    as_json: AsJson = False,
) -> None:
    """All named formats."""
    with refusals("list"):
        if kind and kind not in KINDS:
            raise ValueError(f"--kind {kind!r} is unknown; write one of {', '.join(KINDS)}")
        found = nf.formats().items()
        rows = [
            (name, facts(fmt)) for name, fmt in found if not kind or isinstance(fmt, KINDS[kind])
        ]
    if as_json:
        print_json({name: row.dict() for name, row in rows})
        return
    table = _table("name", "bits", "layout", "largest", "smallest normal", "smallest", "specials")
    for name, row in rows:
        layout = "-".join(str(bits) for _, bits in row.layout)
        specials = ", ".join(
            word for word, has in (("Inf", row.infinities), ("NaN", row.nan)) if has
        )
        normal = "" if row.smallest_normal is None else f"{row.smallest_normal:g}"
        table.add_row(
            name, f"{row.bits_per_value:g}", layout, f"{row.max:g}", normal, f"{row.smallest:g}",
            specials or "-",
        )  # fmt: skip
    Console().print(table)


def accelerators(as_json: AsJson = False) -> None:
    """All named accelerators: storage, how products add up, and how sure that is."""
    rows = [chip.summary for chip in nf.accelerators().values()]
    if as_json:
        print_json(rows)
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    for heading in ("name", "storage", "engine", "confidence"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for row in rows:
        table.add_row(*(Text(text) for text in row.values()))
    Console().print(table)


def backends(as_json: AsJson = False) -> None:
    """What can round here, and why the rest cannot."""
    found = nf.backends()
    if as_json:
        print_json({name: backend._asdict() for name, backend in found.items()})
        return
    table = _table("backend", "runs", "why not")
    for name, backend in found.items():
        table.add_row(name, "yes" if backend.available else "no", backend.reason)
    Console().print(table)


def _table(*headings: str) -> Any:
    return Table(*headings, box=None)
