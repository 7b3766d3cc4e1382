"""The plots of a comparison, all from ``results.json``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from samplers.compare.plots.differences import differences_figure
from samplers.compare.plots.layers import layers_figure
from samplers.compare.plots.palette import look
from samplers.compare.plots.pareto import pareto_figure
from samplers.compare.plots.reliability import reliability_figure
from samplers.compare.plots.scores import scores_figure
from samplers.compare.plots.svg import inline, write_files
from samplers.compare.plots.toy import toy_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Plot", "draw_differences", "draw_plots"]


SCORES = {"error": "Error", "nll": "NLL", "ece": "ECE"}


class Plot(NamedTuple):
    """A plot of the page: its section, the name of its files, what it shows, and its SVG."""

    section: str
    name: str
    title: str
    svg: str


def draw_plots(results: dict[str, Any], out: Path) -> list[Plot]:
    """Write every plot of a comparison as PNG and SVG into ``out``.

    Args:
        results: the content of ``results.json``.
        out: an existing folder.

    Returns:
        The plots for a page.
    """
    with look():
        return [
            _finished(out, section, name, title, figure)
            for section, name, title, figure in _figures(results)
        ]


def draw_differences(found: dict[str, Any], out: Path) -> list[Plot]:
    """Write the plots of two comparisons as PNG and SVG into ``out``.

    Args:
        found: what ``differences`` gave.
        out: an existing folder.
    """
    with look():
        return [
            _finished(
                out, "differences", f"difference-{score}", f"{words}: second minus first",
                differences_figure(found["rows"], score),
            )
            for score, words in SCORES.items()
        ]  # fmt: skip


def _finished(out: Path, section: str, name: str, title: str, figure: Figure) -> Plot:
    write_files(figure, out, name)
    return Plot(section, name, title, inline(figure, name, title))


def _figures(results: dict[str, Any]) -> list[tuple[str, str, str, Figure]]:
    rows = results["rows"]
    found = []
    for score, words in SCORES.items():
        found.append(
            (
                "scores",
                score,
                f"{words} of every row",
                scores_figure(rows, score),
            )
        )
    for score in ("error", "nll"):
        title = f"{SCORES[score]} against bits a weight"
        found.append(("pareto", f"pareto-{score}", title, pareto_figure(rows, score)))
    for name in dict.fromkeys(row["format"] for row in rows):
        slug = "".join(c if c.isalnum() else "-" for c in name).strip("-")
        title = f"Reliability of the rows in {name}"
        figure = reliability_figure(rows, name)
        found.append(("reliability", f"reliability-{slug}", title, figure))
    if results["layers"] is not None:
        title = "Rounding error of every tensor in every format"
        found.append(("layers", "layers", title, layers_figure(results["layers"])))
    title = "Densities of draws on the Gaussian toy"
    found.append(("toy", "toy", title, toy_figure(results["toy"])))
    return found
