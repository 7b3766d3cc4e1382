"""Run a comparison from its options to its folder of results."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplers.compare.config import Config
from samplers.compare.folder import ResultFolder
from samplers.compare.network import tensor_shapes
from samplers.compare.page import write_report
from samplers.compare.results import Results, Summary, assemble
from samplers.compare.rows import Row, rows
from samplers.compare.summary import summarise, write_csv
from samplers.compare.workers import one_thread, run_chains
from samplers.durable import replace_json
from samplers.images import load_images
from samplers.toy import toy_draws

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress


def run(
    config: Config,
    out: Path,
    folder: Path | None = None,
    *,
    workers: int | None = None,
    fresh: bool = False,
    console: Console | None = None,
) -> Results:
    """Train every row's chains that are not finished yet, and write results, plots and report.

    Args:
        config: what to compare.
        out: folder of the results.
        folder: where the idx files of MNIST are.
        workers: processes; one for each CPU where None.
        fresh: begin anew in a folder that holds another comparison.
        console: where progress is shown; standard error where None.

    Returns:
        The content of ``results.json``.

    Raises:
        ValueError: damaged data or other options in ``out``; before anything is trained.
    """
    images, chosen = load_images(config.data, folder), rows(config)
    held = ResultFolder(out, config, fresh=fresh)
    with _progress(console) as progress:
        text = f"training {len(chosen) * config.chains} chains"
        task = progress.add_task(text, total=len(chosen) * config.chains)

        def done(name: str) -> None:
            progress.update(task, advance=1, description=f"{text}: {name} done")

        processes = workers or os.cpu_count() or 1
        summaries = train_rows(chosen, config, folder, held, processes, done)
        progress.console.print("Gaussian toy and plots ...", style="dim")
        with one_thread():
            draws = toy_draws(seed=config.seed)
    results = assemble(config, folder, images, summaries, draws)
    replace_json(out / "results.json", results)
    write_csv(out / "results.csv", summaries)
    write_report(results, out)
    return results


def train_rows(
    chosen: list[Row],
    config: Config,
    folder: Path | None,
    results: ResultFolder,
    workers: int,
    done: Callable[[str], object],
) -> list[Summary]:
    """Train the chains of rows that ``results`` does not hold yet.

    Args:
        chosen: the rows.
        config: what they have in common.
        folder: where the idx files of MNIST are.
        results: keeps each chain as it is finished.
        workers: processes.
        done: called with each chain's name as it is there, at once for those held.

    Returns:
        A summary of each row.
    """
    outcomes: dict[tuple[str, int], dict[str, Any]] = {}
    pending = []
    for row, chain in ((row, chain) for row in chosen for chain in range(config.chains)):
        held = results.load(row, chain)
        if held is None:
            pending.append((row, chain))
        else:
            outcomes[row.name, chain] = held
            done(f"{row.name} {chain + 1}")
    if pending:
        for row, chain, outcome in run_chains(pending, config, folder, min(workers, len(pending))):
            results.save(row, chain, outcome)
            outcomes[row.name, chain] = outcome
            done(f"{row.name} {chain + 1}")
    shapes = tensor_shapes(load_images(config.data, folder).train_x.shape[1], config.hidden)
    return [
        summarise(
            row, shapes.values(), [outcomes[row.name, chain] for chain in range(config.chains)]
        )
        for row in chosen
    ]


def _progress(console: Console | None) -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    text = TextColumn("{task.description}")
    return Progress(
        text,
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
    )
