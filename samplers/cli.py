"""The command line: ``samplers compare``, ``sample``, ``report`` and ``reproduce``."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console

from samplers.compare.config import DEFAULT_FORMATS, Config

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Draw from posteriors in low precision."
)
console = Console()

QUICK = {"steps": 200, "samples": 10, "chains": 2}


@app.callback()
def main() -> None:
    """Draw from posteriors in low precision."""


@app.command()
def compare(
    out: Annotated[
        Path, typer.Option(help="Folder for results and plots; a second run goes on there.")
    ] = Path("compare"),
    data: Annotated[str, typer.Option(help="digits (embedded) or mnist (idx files).")] = "digits",
    folder: Annotated[
        Path | None, typer.Option(help="Folder of the idx files [default: $NUMFORMATS_DATA/mnist].")
    ] = None,
    formats: Annotated[str, typer.Option(help="Names of formats, separated by blanks.")] = " ".join(
        DEFAULT_FORMATS
    ),
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
    cycles: Annotated[int, typer.Option(help="Cycles of the cSGLD row.")] = Config.cycles,
    seed: Annotated[int, typer.Option(help="Of weights, batches, noise and rounding.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="Processes [default: one for each CPU].")
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="A smoke run: 2 chains of 200 steps.")
    ] = False,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Replace another comparison in the folder.")
    ] = False,
) -> None:
    """Train a small network by every sampler in every format; compare error and calibration."""
    options: dict[str, Any] = {
        "data": data, "chains": chains, "steps": steps, "samples": samples, "lr": lr,
        "batch_size": batch_size, "cycles": cycles,
        "temperature": temperature, "weight_decay": weight_decay,
        "seed": seed,
    }  # fmt: skip
    start = time.perf_counter()
    try:
        config = Config(
            formats=tuple(formats.split()),
            hidden=_widths(hidden),
            **(options | (QUICK if quick else {})),
        )
        from samplers.compare.job import run

        summaries = run(config, out, folder, workers=workers, fresh=fresh)
    except ValueError as error:
        _fail(error)
    _print(summaries, config.data)
    console.print(
        f"{time.perf_counter() - start:.0f} s; results and plots are in [bold]{out}[/bold]"
    )


@app.command()
def sample(
    spec: Annotated[Path, typer.Argument(help="JSON file with the fields of samplers.ChainSpec.")],
    chains: Annotated[int, typer.Option(help="Chains, numbered from the file's chain.")] = 1,
    processes: Annotated[
        int | None, typer.Option(help="Processes [default: as many as the CPUs have room for].")
    ] = None,
    engine: Annotated[str, typer.Option(help="local or ray.")] = "local",
) -> None:
    """Run chains, or what is left of them, and keep their samples in the file's folder.

    Functions that the file names may lie in modules of the current folder.
    """
    from samplers.chains import run_chains
    from samplers.durable import read_json
    from samplers.spec import ChainSpec
    from samplers.store import SampleStore

    sys.path.insert(0, str(Path.cwd()))
    try:
        first = ChainSpec(**read_json(spec))
        specs = [replace(first, chain=first.chain + k) for k in range(chains)]
        folders = run_chains(specs, engine, processes=processes)
    except (ValueError, TypeError, ImportError, RuntimeError) as error:
        _fail(error)
    console.print(SampleStore(folders[0]))


@app.command()
def report(
    folder: Annotated[Path, typer.Argument(help="Folder that `samplers compare` wrote.")],
) -> None:
    """Print the table of a finished comparison again."""
    from samplers.compare.folder import read_json

    try:
        content = read_json(folder / "results.json")
    except ValueError as error:
        _fail(error)
    _print(content["rows"], content["config"]["data"])


@app.command()
def reproduce(
    name: Annotated[str, typer.Argument(help="The experiment, see docs/reproductions.md.")],
    full: Annotated[bool, typer.Option("--full", help="The papers' size.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for results and plot [default: reproductions/NAME].")
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
    from samplers.reproductions.study import changed, reproduce, show, study

    place = out or Path("reproductions") / name
    changes = {
        "data": data,
        "folder": None if folder is None else str(folder),
        "rows": None if rows is None else tuple(rows.split()),
    }
    try:
        found = study(name)
        settings = changed(name, found.full if full else found.quick, changes)
        outcome = reproduce(name, settings, place)
    except (ValueError, RuntimeError) as error:
        _fail(error)
    show(outcome, f"samplers reproduce {name}: {found.title}", console)
    console.print(f"results and plot are in [bold]{place}[/bold]")


def _print(summaries: list[dict[str, Any]], data: str) -> None:
    from samplers.compare.summary import table

    console.print(table(summaries, f"samplers compare: {data}"))


def _widths(text: str) -> tuple[int, ...]:
    if not all(word.isdigit() for word in text.split()):
        raise ValueError(
            f"--hidden {text!r}: write widths separated by blanks, for example --hidden '100 50'"
        )
    return tuple(int(word) for word in text.split())


def _fail(error: Exception) -> NoReturn:
    typer.echo(f"Error: {error}", err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
