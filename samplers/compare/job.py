"""Run a comparison from its options to its folder of results."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplers.compare.config import Config
from samplers.compare.folder import SCHEMA, ResultFolder, versions
from samplers.compare.plots import write_plots
from samplers.compare.rows import rows
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
    results = ResultFolder(out, config, fresh=fresh)
    with _progress() as progress:
        summaries = _train_all(config, folder, results, workers or os.cpu_count() or 1, progress)
        progress.console.print("Gaussian toy and plots ...", style="dim")
        with one_thread():
            draws = toy_draws(seed=config.seed)
    options = {"config": config.to_json(), "versions": versions()}
    replace_json(out / "results.json", {"schema": SCHEMA, **options, "rows": summaries})
    write_csv(out / "results.csv", summaries)
    write_plots(out, summaries, draws)
    return summaries


def _train_all(
    config: Config, folder: Path | None, results: ResultFolder, workers: int, progress: Progress
) -> list[Summary]:
    every = [(row, chain) for row in rows(config) for chain in range(config.chains)]
    outcomes = {(row.name, chain): results.load(row, chain) for row, chain in every}
    pending = [(row, chain) for row, chain in every if outcomes[row.name, chain] is None]
    text = f"training {len(every)} chains"
    task = progress.add_task(text, total=len(every), completed=len(every) - len(pending))
    if pending:
        for row, chain, outcome in run_chains(pending, config, folder, min(workers, len(pending))):
            results.save(row, chain, outcome)
            outcomes[row.name, chain] = outcome
            progress.update(task, advance=1, description=f"{text}: {row.name} {chain + 1} done")
    found = {name: outcome for name, outcome in outcomes.items() if outcome is not None}
    return [
        summarise(row, [found[row.name, chain] for chain in range(config.chains)])
        for row in rows(config)
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
