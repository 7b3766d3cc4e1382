"""The command ``numformats``."""

import json
import sys
from typing import Annotated

try:
    import typer
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text
except ImportError as error:  # pragma: no cover - the extra brings both
    sys.exit(f"numformats: {error.name} is missing; write pip install 'numformats[report]'")

import numformats as nf

app = typer.Typer(no_args_is_help=True, help="Number formats, bit for bit.", add_completion=True)


@app.callback()
def main() -> None:
    """Number formats, bit for bit."""


@app.command(epilog="Example: numformats backends --json")
def backends(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What can round here, and why the rest cannot."""
    found = nf.backends()
    if as_json:
        print(json.dumps({name: backend._asdict() for name, backend in found.items()}, indent=1))
        return
    table = Table("backend", "runs", "why not", box=None)
    for name, backend in found.items():
        table.add_row(name, "yes" if backend.available else "no", backend.reason)
    Console().print(table)


@app.command(epilog="Example: numformats accelerators --json")
def accelerators(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """All named accelerators: storage, how products add up, and how sure that is."""
    rows = [chip.summary for chip in nf.accelerators().values()]
    if as_json:
        print(json.dumps(rows, indent=1))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), collapse_padding=True)
    for heading in ("name", "storage", "engine", "confidence"):
        table.add_column(heading, overflow="fold", no_wrap=heading == "name")
    for row in rows:
        table.add_row(*(Text(text) for text in row.values()))
    Console().print(table)


@app.command(epilog="Example: numformats show nvidia-h100-fp8")
def show(
    name: Annotated[str, typer.Argument(help="An accelerator, or a .json or .toml file of one.")],
) -> None:
    """One accelerator in plain words: what is stored how, how products add up, what is known."""
    try:
        chip = nf.accelerator(name)
    except (TypeError, ValueError, OSError) as error:
        print(f"numformats show: {error}", file=sys.stderr)
        raise typer.Exit(2) from None
    print(chip.explain())
