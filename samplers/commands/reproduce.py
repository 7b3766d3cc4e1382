"""``samplers reproduce``: an experiment of a paper again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from samplers.commands.refusing import interrupted, refusals, screen, status


def reproduce(
    name: Annotated[str, typer.Argument(help="The experiment, see docs/reproductions.md.")],
    full: Annotated[bool, typer.Option("--full", help="The papers' size.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for results and plot (by default reproductions/NAME)."),
    ] = None,
) -> None:
    """Repeat an experiment of a paper; print its table beside the published numbers."""
    from samplers.reproductions import study

    with refusals("reproduce"):
        found = study.study(name)
        folder = out or Path("reproductions") / name
        try:
            outcome = study.reproduce(name, found.full if full else found.quick, folder)
        except KeyboardInterrupt:
            interrupted("reproduce", f"the same command goes on with what {folder} holds")
    study.show(outcome, f"samplers reproduce {name}: {found.title}", screen)
    status.print(f"results and plot are in {folder}", highlight=False)
