"""The differences of two comparisons as a list of bars around zero."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from samplers.compare.plots.palette import AXIS, LINE, marks, panel
from samplers.compare.plots.scores import AXES, label_lines, places_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def differences_figure(rows: list[dict[str, Any]], score: str) -> Figure:
    """One line a row that both have: second minus first ± standard error.

    Args:
        rows: of ``differences``.
        score: ``"error"``, ``"nll"`` or ``"ece"``.
    """
    label, factor = AXES[score]
    places = places_of(rows)
    figure, ax = panel(0.9 + LINE * (max(places.values()) + 1))
    ax.axvline(0, color=AXIS, linestyle="--", linewidth=1)
    for row in rows:
        found = row["difference"][score]
        if not math.isfinite(found["mean"]):
            continue
        look = marks(row["sampler"])
        ax.errorbar(
            factor * found["mean"], places[row["format"], row["sampler"]],
            xerr=factor * (found["std"] or 0), capsize=2.5, ecolor=look["color"], elinewidth=1.3,
            linestyle="none", **look,
        )  # fmt: skip
    label_lines(ax, rows, places)
    ax.set_xlabel(f"Δ {label}")
    ax.grid(axis="x")
    return figure
