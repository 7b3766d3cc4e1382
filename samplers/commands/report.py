"""``samplers report``: a finished comparison again, or the differences of two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from samplers.commands.compare import print_table
from samplers.commands.refusing import AsJson, print_json, refusals, screen, status


def report(
    folder: Annotated[Path, typer.Argument(help="Folder that `samplers compare` wrote.")],
    other: Annotated[
        Path | None, typer.Argument(help="A second one: compare the two, row by row.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the page of two comparisons.")] = Path(
        "differences"
    ),
    as_json: AsJson = False,
) -> None:
    """Write a finished comparison's report and plots again, from results.json alone.

    With two folders: one page of both, differences of rows that have one name.
    """
    with refusals("report"):
        from samplers.compare.page import write_report
        from samplers.compare.results import read_results

        results = read_results(folder)
        if other is None:
            page = write_report(results, folder)
        else:
            from samplers.compare.differences import differences
            from samplers.compare.page.differing import write_differences

            results = differences(results, read_results(other), (str(folder), str(other)))
            page = write_differences(results, out)
    if as_json:
        print_json(results)
        return
    if other is None:
        print_table(results)
    else:
        from samplers.compare.differences import table

        screen.print(table(results))
    status.print(f"the report is {page}", highlight=False)
