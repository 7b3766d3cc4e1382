"""``samplers compare``: one network by every sampler, in every format, on accelerators."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from samplers.commands.refusing import (
    AsJson,
    interrupted,
    print_json,
    refusals,
    screen,
    status,
)
from samplers.compare.config import DEFAULT_FORMATS, SIMULATIONS, Config
from samplers.images import DATA_SETS

QUICK = {"steps": 200, "samples": 10, "chains": 2}


def compare(
    context: typer.Context,
    out: Annotated[
        Path, typer.Option(help="Folder for results, plots and report; a second run goes on there.")
    ] = Path("compare"),
    config: Annotated[
        Path | None,
        typer.Option(help="YAML, TOML or JSON file of these options; those given here go before."),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            help="digits (embedded) or mnist (idx files).", autocompletion=lambda: list(DATA_SETS)
        ),
    ] = Config.data,
    folder: Annotated[
        Path | None,
        typer.Option(help="Folder of the idx files (by default $NUMFORMATS_DATA/mnist)."),
    ] = None,
    formats: Annotated[str, typer.Option(help="Names of formats, separated by blanks.")] = " ".join(
        DEFAULT_FORMATS
    ),
    accelerators: Annotated[
        str, typer.Option(help="Names or files of accelerators, separated by blanks.")
    ] = "",
    simulation: Annotated[
        str,
        typer.Option(
            help="Products of accelerators: exact (bit for bit) or fast.",
            autocompletion=lambda: list(SIMULATIONS),
        ),
    ] = Config.simulation,
    rows: Annotated[
        str,
        typer.Option(
            help="Patterns of rows, separated by commas, as 'SGLD *, VC* e4m3' (by default all)."
        ),
    ] = "",
    chains: Annotated[int, typer.Option(help="Chains of each row.")] = Config.chains,
    steps: Annotated[int, typer.Option(help="Optimizer steps of each chain.")] = Config.steps,
    samples: Annotated[
        int, typer.Option(help="Posterior samples that a row averages.")
    ] = Config.samples,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = Config.batch_size,
    lr: Annotated[float, typer.Option(help="Step size.")] = Config.lr,
    temperature: Annotated[
        float, typer.Option(help="Temperature of the posterior.")
    ] = Config.temperature,
    weight_decay: Annotated[
        float, typer.Option(help="Prior precision over the number of images.")
    ] = Config.weight_decay,
    hidden: Annotated[
        str, typer.Option(help="Widths of hidden layers, blank for logistic regression.")
    ] = "64",
    averaged: Annotated[
        float, typer.Option(help="Share of the steps, the last ones, that samples come from.")
    ] = Config.averaged,
    cycles: Annotated[int, typer.Option(help="Cycles of the cSGLD row.")] = Config.cycles,
    exploration: Annotated[
        float, typer.Option(help="Share of a cycle of the cSGLD row without samples.")
    ] = Config.exploration,
    seed: Annotated[
        int, typer.Option(help="Of weights, batches, noise and rounding.")
    ] = Config.seed,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes (by default one for each CPU).")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smoke run: 2 chains of 200 steps, 10 samples.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace another comparison in the folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Train a small network by every sampler in every format and on accelerators.

    Compares error, calibration and bits, in a table and in the page report.html of the folder.
    Ctrl-C leaves a folder that the same command goes on with.
    """
    start = time.perf_counter()
    with refusals("compare"):
        from samplers.compare.config_file import read_config, read_option

        given = {
            name: read_option(name, value)
            for name, value in context.params.items()
            if name in Config.__dataclass_fields__ and _is_given(context, name)
        }
        held = {} if config is None else read_config(config)
        wanted = Config(**{**held, **(QUICK if quick else {}), **given})
        from samplers.compare.job import run

        try:
            results = run(wanted, out, folder, workers=workers, fresh=fresh, console=status)
        except KeyboardInterrupt:
            interrupted("compare", _how_to_go_on(out, folder))
    if as_json:
        print_json(results)
        return
    print_table(results)
    seconds = time.perf_counter() - start
    status.print(f"{seconds:.0f} s; the report is {out / 'report.html'}", highlight=False)


def print_table(results: dict[str, Any]) -> None:
    """The rows for a terminal."""
    from samplers.compare.summary import table

    screen.print(table(results["rows"], f"samplers compare: {results['config']['data']}"))


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name not in ("DEFAULT", "DEFAULT_MAP")


def _how_to_go_on(out: Path, folder: Path | None) -> str:
    import shlex

    if not (out / "config.json").is_file():
        return "nothing was begun; run the command again"
    kept = len(list((out / "chains").glob("*.json")))
    words = ["samplers", "compare", "--config", str(out / "config.json"), "--out", str(out)]
    words += [] if folder is None else ["--folder", str(folder)]
    return f"{kept} finished chain(s) are kept in {out}; {shlex.join(words)} goes on from there"
