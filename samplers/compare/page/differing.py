"""The page of two comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from samplers.compare.differences import SCORES, difference_text
from samplers.compare.page.render import render
from samplers.compare.page.table import Cell, Column
from samplers.compare.page.words import option_text
from samplers.compare.plots import draw_differences
from samplers.compare.summary import spread
from samplers.durable import replace_file, replace_json

HEADS = {"error": ("error %", 100, 2), "nll": ("NLL", 1, 3), "ece": ("ECE %", 100, 2)}


def write_differences(found: dict[str, Any], out: Path) -> Path:
    """Write ``report.html``, ``differences.json`` and the plots into ``out``.

    Args:
        found: what ``differences`` gave.
        out: made if it is not there.

    Returns:
        The page.

    Raises:
        ValueError: ``out`` holds the results of a comparison.
    """
    if (out / "results.json").exists():
        raise ValueError(f"{out} holds a comparison, whose report stays; write another --out")
    out.mkdir(parents=True, exist_ok=True)
    replace_json(out / "differences.json", found)
    content = {
        "found": found,
        "columns": _columns(),
        "rows": [_cells(row) for row in found["rows"]],
        "settings": _lines(found["settings"]),
        "versions": _lines(found["versions"]),
        "plots": draw_differences(found, out),
    }
    path = out / "report.html"
    replace_file(path, render("differences.html.j2", content).encode())
    return path


def _lines(differing: dict[str, list[Any]]) -> list[tuple[str, str, str]]:
    return [
        (name, option_text(name, a), option_text(name, b)) for name, (a, b) in differing.items()
    ]


def _columns() -> list[Column]:
    columns = [
        Column("method", "sampler and accumulator", numeric=False),
        Column("format", "of weights and gradients, or of products", numeric=False),
    ]
    heads = [head for head, *_ in HEADS.values()]
    columns += [Column(f"Δ {head}", "second minus first ± standard error") for head in heads]
    for head in heads:
        words = "mean ± standard deviation over the chains"
        columns += [Column(f"{head} {which}", words) for which in ("first", "second")]
    return columns


def _cells(row: dict[str, Any]) -> list[Cell]:
    cells = [Cell(row["sampler"]), Cell(row["format"])]
    cells += [Cell(difference_text(row, s), row["difference"][s]["mean"]) for s in SCORES]
    for score in SCORES:
        _, factor, digits = HEADS[score]
        for which in ("first", "second"):
            summary = {part: {score: row[which][score][part]} for part in ("mean", "std")}
            cells.append(Cell(spread(summary, score, factor, digits), row[which][score]["mean"]))
    return cells
