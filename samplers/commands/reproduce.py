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
    data: Annotated[
        str | None, typer.Option(help="Data set where an experiment has several: cifar100.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(help="Folder of images, with train/CLASS/* and val/CLASS/*.")
    ] = None,
    rows: Annotated[
        str | None, typer.Option(help="Names of some rows, separated by blanks [default: all].")
    ] = None,
) -> None:
    """Repeat an experiment of a paper; print its table beside the published numbers."""
    from samplers.reproductions import study

    place = out or Path("reproductions") / name
    changes = {
        "data": data,
        "folder": None if folder is None else str(folder),
        "rows": None if rows is None else tuple(rows.split()),
    }
    with refusals("reproduce"):
        found = study.study(name)
        settings = study.changed(name, found.full if full else found.quick, changes)
        try:
            outcome = study.reproduce(name, settings, place)
        except KeyboardInterrupt:
            kept = study.resumable(place)
            then = f"goes on with what {place} holds" if kept else "begins anew"
            interrupted("reproduce", f"the same command {then}")
    study.show(outcome, f"samplers reproduce {name}: {found.title}", screen)
    status.print(f"results and plot are in {place}", highlight=False)
