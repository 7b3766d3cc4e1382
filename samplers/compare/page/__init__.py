"""The page of a comparison: one HTML file that needs no network."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from samplers.compare.page.render import render
from samplers.compare.page.table import COLUMNS, table_rows
from samplers.compare.page.words import METHODS, highlights, question, settings
from samplers.compare.plots import draw_plots
from samplers.durable import replace_file

__all__ = ["write_report"]


def write_report(results: dict[str, Any], out: Path) -> Path:
    """Write ``report.html`` and every plot as PNG and SVG into ``out``; nothing is trained.

    Args:
        results: the content of ``results.json``.
        out: an existing folder.

    Returns:
        The page.
    """
    plots = draw_plots(results, out)
    samplers = {row["sampler"] for row in results["rows"]}
    content = {
        "results": results,
        "question": question(results),
        "highlights": highlights(results["rows"]),
        "columns": COLUMNS,
        "rows": table_rows(results["rows"]),
        "methods": [(name, text) for name, text in METHODS.items() if name in samplers],
        "plots": {plot.section: [p for p in plots if p.section == plot.section] for plot in plots},
        "settings": settings(results["config"]),
        "accelerators": _accelerators(results),
    }
    path = out / "report.html"
    replace_file(path, render("report.html.j2", content).encode())
    return path


def _accelerators(results: dict[str, Any]) -> list[dict[str, Any]]:
    """Each accelerator in words, and what of its rows ran on it."""
    found = []
    for chip in results["accelerators"]:
        rows = [row for row in results["rows"] if row["format"] == chip["name"]]
        products = [chain["products"] for row in rows for chain in row["chains"]]
        left: Counter[str] = Counter()
        for counts in products:
            left.update(counts["full_precision"])
        simulated = sum(counts["simulated"] for counts in products)
        found.append({**chip, "simulated": simulated, "left": left})
    return found
