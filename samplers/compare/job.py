"""Run a comparison from its options to its folder of results."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplers.compare.config import Config
from samplers.compare.folder import SCHEMA, ResultFolder, versions
from samplers.compare.plots import write_plots
from samplers.compare.rows import Row, rows
from samplers.compare.summary import summarise, write_csv
from samplers.compare.workers import one_thread, run_chains
from samplers.durable import replace_json
from samplers.images import load_images
from samplers.toy import toy_draws

if TYPE_CHECKING:
    from rich.progress import Progress

Summary = dict[str, Any]


def run(
    config: Config,
    out: Path,
    folder: Path | None = None,
    *,
    workers: int | None = None,
    fresh: bool = False,
) -> list[Summary]:
    """Train every row's chains that are not finished yet, and write results and plots.

    Args:
        config: what to compare.
        out: folder of the results.
        folder: where the idx files of MNIST are.
        workers: processes; one for each CPU where None.
        fresh: begin anew in a folder that holds another comparison.

    Returns:
        The rows' summaries, as in ``results.json``.

    Raises:
        ValueError: damaged data or other options in ``out``; before anything is trained.
    """
    load_images(config.data, folder)
    results, chosen = ResultFolder(out, config, fresh=fresh), rows(config)
    with _progress() as progress:
        text = f"training {len(chosen) * config.chains} chains"
        task = progress.add_task(text, total=len(chosen) * config.chains)

        def done(name: str) -> None:
            progress.update(task, advance=1, description=f"{text}: {name} done")

        processes = workers or os.cpu_count() or 1
        summaries = train_rows(chosen, config, folder, results, processes, done)
        progress.console.print("Gaussian toy and plots ...", style="dim")
        with one_thread():
            draws = toy_draws(seed=config.seed)
    options = {"config": config.to_json(), "versions": versions()}
    replace_json(out / "results.json", {"schema": SCHEMA, **options, "rows": summaries})
    write_csv(out / "results.csv", summaries)
    write_plots(out, summaries, draws)
    return summaries


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
    return [
        summarise(row, [outcomes[row.name, chain] for chain in range(config.chains)])
        for row in chosen
    ]


def _progress() -> Progress:
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
    )
