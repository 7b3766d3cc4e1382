"""What commands share: plain JSON, errors in one line."""

import json
import math
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
FAILED = 2  #: exit code of bad input


def print_json(value: Any) -> None:
    """``value`` as JSON; numbers that JSON lacks become text."""
    print(json.dumps(_plain(value), indent=1))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value


@contextmanager
def refusals(command: str) -> Iterator[None]:
    """Within the context, bad input ends the command with its message alone."""
    try:
        yield
    except (TypeError, ValueError, OSError, KeyError) as error:
        text = error.args[0] if isinstance(error, KeyError) and error.args else error
        print(f"numformats {command}: {text}", file=sys.stderr)
        raise typer.Exit(FAILED) from None
