"""Reliability diagrams: accuracy minus confidence by confidence, one panel a format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from samplers.compare.plots.palette import AXIS, Summary, legend_below, marks, panel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST = 25  # points in a bin: below that the noise of a proportion hides the gap


def reliability_figure(rows: list[Summary], name: str) -> Figure:
    """The rows of a format beside SGLD in float32; below 0 is overconfident.

    Args:
        rows: of ``results.json``.
        name: the ``format`` of the rows to draw.
    """
    figure, ax = panel(3.5)
    ax.axhline(0, color=AXIS, linewidth=1)
    for row in rows:
        if row["format"] == "float32" and row["sampler"] == "SGLD" and name != "float32":
            _draw(ax, row, label="SGLD float32", color=AXIS, linestyle=":", linewidth=2)
    for row in rows:
        if row["format"] == name:
            look = {**marks(row["sampler"]), "markersize": 4.5}
            _draw(ax, row, label=row["sampler"], **look)
    ax.set(title=name, xlabel="confidence", ylabel="accuracy − confidence")
    ax.set_xlim(right=1.02)
    ax.grid()
    legend_below(figure, ax)
    return figure


def _draw(ax: Axes, row: Summary, **look: Any) -> None:
    bins = [chain["reliability"] for chain in row["chains"]]
    points, confidence, correct = (
        np.sum([b[part] for b in bins], axis=0) for part in ("points", "confidence", "correct")
    )
    filled = points >= FEWEST
    x = confidence[filled] / points[filled]
    y = (correct - confidence)[filled] / points[filled]
    ax.plot(x, y, **look)
