"""The command ``numformats``."""

import json
import sys
from typing import Annotated

try:
    import typer
    from rich.console import Console
    from rich.table import Table
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
