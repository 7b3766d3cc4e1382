"""What commands share: errors in one line, and what an interrupted one says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console

from numformats.commands.printing import FAILED, AsJson, print_json

__all__ = ["AsJson", "interrupted", "print_json", "refusals", "screen", "status"]

INTERRUPTED = 130  #: exit code after Ctrl-C, as shells have it
screen = Console()
status = Console(stderr=True)  # progress and remarks, so that stdout holds results alone


@contextmanager
def refusals(command: str) -> Iterator[None]:
    """Within the context, bad input ends the command with one line and exit code 2."""
    try:
        yield
    except (typer.Exit, BrokenPipeError):  # a RuntimeError; a reader that has seen enough
        raise
    except ImportError as error:
        hint = "; write pip install 'numformats[demo]'" if error.name in EXTRAS else ""
        _end(command, f"{error}{hint}", FAILED)
    except OSError as error:
        _end(command, f"{error}; write a path that can be read and written", FAILED)
    except (ValueError, TypeError, RuntimeError) as error:
        _end(command, "; ".join([str(error), *getattr(error, "__notes__", ())]), FAILED)


EXTRAS = ("jinja2", "matplotlib", "sklearn", "yaml", "safetensors", "tqdm")


def interrupted(command: str, what_now: str) -> None:
    """End a command after Ctrl-C with one line that says how to go on."""
    _end(command, f"interrupted; {what_now}", INTERRUPTED)


def _end(command: str, text: str, code: int) -> None:
    typer.echo(f"samplers {command}: {' '.join(text.split())}", err=True)
    raise typer.Exit(code) from None
