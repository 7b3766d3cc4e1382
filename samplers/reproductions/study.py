"""What a reproduction is, and what it leaves behind: a table, JSON, and a plot."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplers.compare.folder import versions
from samplers.durable import read_json, replace_json
from samplers.named import named

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

STUDIES = ("gaussian", "mixture", "grid25", "mnist", "imdb", "cifar", "imagenet")
Cell = str | float | None
RESULTS = "results.json"
SETTINGS = "settings.json"  # of a run that keeps its parts


@dataclass(frozen=True)
class Claim:
    """A published statement, whether this run agrees with it, and the numbers that decide."""

    text: str
    held: bool
    because: str


@dataclass(frozen=True)
class Outcome:
    """What a run found.

    Args:
        columns: names of the table's columns.
        rows: one cell for each column; None where nothing was published or is known.
        claims: statements of the papers, judged.
        figure: the plot.
        note: under the table.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Cell, ...]]
    claims: list[Claim]
    figure: Figure
    note: str = ""


@dataclass(frozen=True)
class Study:
    """One reproduction.

    Args:
        title: what is reproduced.
        source: the paper.
        quick: settings of a run in minutes, a frozen dataclass of plain values.
        full: settings of ``--full``.
        run: from settings and a folder, which a resumable study may keep its parts in.
    """

    title: str
    source: str
    quick: Any
    full: Any
    run: Callable[[Any, Path], Outcome] = field(repr=False)


def study(name: str) -> Study:
    """A study by name.

    Raises:
        ValueError: an unknown name.
    """
    if name not in STUDIES:
        raise ValueError(f"reproduction {name!r} is unknown; write one of {', '.join(STUDIES)}")
    found: Study = named(f"samplers.reproductions.{name}:STUDY")
    return found


def changed(name: str, settings: Any, changes: Mapping[str, Any]) -> Any:
    """``settings`` with the ``changes`` that are not None.

    Raises:
        ValueError: one that the study called ``name`` does not have.
    """
    given = {option: value for option, value in changes.items() if value is not None}
    strange = [option for option in given if not hasattr(settings, option)]
    if strange:
        raise ValueError(f"reproduction {name!r} has no {', '.join(strange)}; leave it out")
    return replace(settings, **given)


def reproduce(name: str, settings: Any, out: Path) -> Outcome:
    """Run a study and write ``results.json``, ``plot.png`` and ``plot.svg``.

    Args:
        name: one of `STUDIES`.
        settings: of the study, such as its ``quick`` or ``full``.
        out: folder, made if it is not there.

    Raises:
        ValueError: an unknown name, data that the study needs and does not find, or an ``out`` that
            no folder can be or that holds other results; before anything is run.
    """
    chosen = study(name)
    _check_place(out, name)
    outcome = chosen.run(settings, out)
    out.mkdir(parents=True, exist_ok=True)
    content = {
        "study": name,
        "source": chosen.source,
        "settings": asdict(settings),
        "versions": versions(),
        "rows": [dict(zip(outcome.columns, row, strict=True)) for row in outcome.rows],
        "claims": [asdict(claim) for claim in outcome.claims],
    }
    replace_json(out / RESULTS, content)
    for kind in ("png", "svg"):
        outcome.figure.savefig(out / f"plot.{kind}", dpi=150)
    return outcome


def _check_place(out: Path, name: str) -> None:
    there = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise ValueError(
            f"{str(there)!r} is no folder that can be written; write a folder as --out"
        )
    held = out / RESULTS
    if held.is_file() and read_json(held).get("study") != name:
        raise ValueError(f"{str(held)!r} is not of {name!r}; write another --out")


def resumable(out: Path) -> bool:
    """Whether ``out`` holds parts of a run that the same call goes on with."""
    return (out / SETTINGS).is_file()


def keep_settings(settings: Any, out: Path, but: tuple[str, ...] = ()) -> None:
    """Write the settings of a resumable run into its folder.

    Args:
        settings: frozen dataclass of plain values.
        out: made if it is not there.
        but: names that may differ from run to run.

    Raises:
        ValueError: the folder holds a run with others.
    """
    path, wanted = out / SETTINGS, _plain({**asdict(settings), **dict.fromkeys(but)})
    held = read_json(path) if path.is_file() else wanted
    changes = [
        f"{name}={held.get(name)!r} (now {wanted[name]!r})"
        for name in wanted
        if held.get(name) != wanted[name]
    ]
    if changes:
        raise ValueError(
            f"{str(out)!r} holds a run with {', '.join(changes)}; write another --out, or remove it"
        )
    out.mkdir(parents=True, exist_ok=True)
    replace_json(path, wanted)


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: list(v) if isinstance(v, tuple) else v for name, v in values.items()}


def show(outcome: Outcome, title: str, console: Console) -> None:
    """Print the table and the claims."""
    from rich import box
    from rich.table import Table

    table = Table(title=title, caption=outcome.note, box=box.SIMPLE_HEAD, show_edge=False)
    for number, name in enumerate(outcome.columns):
        text = isinstance(outcome.rows[0][number], str)
        table.add_column(name, justify="left" if text else "right", no_wrap=True)
    for row in outcome.rows:
        table.add_row(*(cell_text(cell) for cell in row))
    console.print(table)
    for claim in outcome.claims:
        verdict = "held" if claim.held else "did not hold"
        console.print(f"{verdict}: {claim.text} ({claim.because})", highlight=False, markup=False)


def cell_text(cell: Cell) -> str:
    """A cell for people: four significant digits, a dash for what is not known."""
    if cell is None:
        return "-"
    return cell if isinstance(cell, str) else f"{cell:.4g}"
