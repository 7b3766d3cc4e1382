"""The command ``numformats``."""

import sys
from collections.abc import Callable

try:
    import typer

    from numformats.commands import files, listing, showing, speed
    from numformats.commands.one_line import OneLine
except ImportError as error:  # pragma: no cover - the extra brings both
    sys.exit(f"numformats: {error.name} is missing; write pip install 'numformats[report]'")

app = typer.Typer(
    cls=OneLine, no_args_is_help=True, help="Number formats, bit for bit.", add_completion=True
)
_EXAMPLES: dict[str, tuple[Callable[..., None], str]] = {
    "list": (listing.list_formats, "numformats list --kind block"),
    "show": (showing.show, "numformats show e4m3; numformats show nvidia-h100-fp8"),
    "table": (showing.table, "numformats table 'fixed<4,2>'"),
    "quantize": (files.quantize, "numformats quantize weights.npy --format mxfp4 --packed"),
    "accelerators": (listing.accelerators, "numformats accelerators --json"),
    "backends": (listing.backends, "numformats backends --json"),
    "bench": (speed.bench, "numformats bench --format e4m3 --rounding stochastic"),
}
for _name, (_command, _example) in _EXAMPLES.items():
    app.command(_name, epilog=f"Example: {_example}")(_command)
