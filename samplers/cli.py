"""The command ``samplers``."""

from __future__ import annotations

import sys
from collections.abc import Callable

try:
    import typer

    from numformats.commands.one_line import OneLine
    from samplers.commands.compare import compare
    from samplers.commands.report import report
    from samplers.commands.reproduce import reproduce
    from samplers.commands.sample import sample
except ImportError as error:  # pragma: no cover - the extra brings all
    sys.exit(f"samplers: {error.name} is missing; write pip install 'numformats[demo]'")

app = typer.Typer(
    cls=OneLine, no_args_is_help=True, help="Draw from posteriors in low precision.",
    add_completion=True,
)  # fmt: skip
_EXAMPLES: tuple[tuple[Callable[..., None], tuple[str, ...]], ...] = (
    (
        compare,
        (
            "samplers compare --quick",
            "samplers compare --formats 'mxfp4 e4m3' --accelerators nvidia-h100-fp8 --out study",
            "samplers compare --config study.yaml --seed 1 --out again",
        ),
    ),
    (sample, ("samplers sample chain.json --chains 4", "samplers sample chain.json --json")),
    (report, ("samplers report study", "samplers report study again --out differences")),
    (reproduce, ("samplers reproduce gaussian",)),
)
for _command, _lines in _EXAMPLES:
    app.command(epilog="\n\n".join(["Examples:", *_lines]))(_command)


if __name__ == "__main__":
    app()
