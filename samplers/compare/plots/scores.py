"""A score of every row as a list of dots: mean, spread over the chains, and each chain."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from samplers.compare.plots.palette import AXIS, LINE, Summary, far_off, marks, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Places = Mapping[tuple[str, str], int]
AXES = {
    "error": ("test error (%)", 100),
    "nll": ("test NLL (nats)", 1),
    "ece": ("ECE (%)", 100),
}


def scores_figure(rows: list[Summary], score: str) -> Figure:
    """One line a row, grouped by format; the dashed line is the first row with noise in float32.

    Args:
        rows: of ``results.json``.
        score: ``"error"``, ``"nll"`` or ``"ece"``.
    """
    label, factor = AXES[score]
    places = places_of(rows)
    figure, ax = panel(0.9 + LINE * (max(places.values()) + 1))
    reference = next((r for r in rows if r["sampler"] == "SGLD" and r["format"] == "float32"), None)
    if reference is not None and math.isfinite(reference["mean"][score]):
        ax.axvline(factor * reference["mean"][score], color=AXIS, linestyle="--", linewidth=1)
    means = [factor * row["mean"][score] for row in rows]
    limit = far_off(means)
    for row, mean in zip(rows, means, strict=True):
        place = places[row["format"], row["sampler"]]
        if not mean <= limit:
            ax.text(
                1.0, place, f"{mean:.3g} →", transform=ax.get_yaxis_transform(),
                ha="right", va="center",
            )  # fmt: skip
            continue
        look = marks(row["sampler"])
        for chain in row["chains"]:
            ax.plot(
                factor * chain[score], place, ".", color=look["color"], alpha=0.55, markersize=4
            )
        ax.errorbar(
            mean, place, xerr=factor * (row["std"][score] or 0),
            capsize=2.5, ecolor=look["color"], elinewidth=1.3, linestyle="none", **look,
        )  # fmt: skip
    label_lines(ax, rows, places)
    ax.set_xlabel(label)
    ax.grid(axis="x")
    return figure


def places_of(rows: list[Summary]) -> dict[tuple[str, str], int]:
    """The line of every row, from the top; each group has a line for its name."""
    places: dict[tuple[str, str], int] = {}
    line, previous = -1, None
    for row in rows:
        line += 1 + (row["format"] != previous)
        previous = row["format"]
        places[row["format"], row["sampler"]] = line
    return places


def label_lines(ax: Axes, rows: list[Summary], places: Places) -> None:
    """Names of samplers beside their lines, of formats above their groups."""
    ax.set_yticks(list(places.values()), [sampler for _, sampler in places])
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_ylim(max(places.values()) + 0.6, -0.6)
    for name in dict.fromkeys(row["format"] for row in rows):
        top = min(place for (fmt, _), place in places.items() if fmt == name)
        ax.text(
            0.0, top - 1, name, transform=ax.get_yaxis_transform(),
            va="center", fontweight="bold",
        )  # fmt: skip
