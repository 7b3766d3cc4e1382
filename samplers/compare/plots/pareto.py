"""A score against the bits that a weight takes, and the rows that no other row beats in both."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from samplers.compare.plots.palette import (
    AXIS,
    INK,
    LINE,
    Summary,
    far_off,
    legend_below,
    marks,
    panel,
)
from samplers.compare.plots.scores import AXES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TICKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)


def front(rows: list[Summary], score: str) -> list[Summary]:
    """The rows than which no other is better in bytes a weight or score, and in both as good.

    Args:
        rows: with ``bytes_per_weight`` and ``mean``.
        score: lower is better.

    Returns:
        By ascending bytes, and so by descending score. Rows equal in both are all there.

    Example:
        >>> points = ((1, 3), (2, 3), (2, 1))
        >>> rows = [{"bytes_per_weight": b, "mean": {"nll": n}} for b, n in points]
        >>> [(r["bytes_per_weight"], r["mean"]["nll"]) for r in front(rows, "nll")]
        [(1, 3), (2, 1)]
    """
    points = [(r["bytes_per_weight"], r["mean"][score], r) for r in rows]
    points = [p for p in points if math.isfinite(p[1])]

    def beaten(size: float, value: float) -> bool:
        return any(s <= size and v <= value and (s, v) != (size, value) for s, v, _ in points)

    best = [p for p in points if not beaten(p[0], p[1])]
    return [row for _, _, row in sorted(best, key=lambda p: p[:2])]


def pareto_figure(rows: list[Summary], score: str) -> Figure:
    """Every row as a mark; the stair joins the front, whose rows are ringed and named above."""
    label, factor = AXES[score]
    best = front(rows, score)
    figure, ax = panel(3.9 + 0.8 * LINE * len(best))
    bits = [8 * row["bytes_per_weight"] for row in best]
    values = [factor * row["mean"][score] for row in best]
    ax.step(bits, values, where="post", color=AXIS, linewidth=1.5, zorder=1)
    ax.plot(bits, values, "o", markersize=13, fillstyle="none", color=INK, markeredgewidth=1)
    _draw_rows(ax, rows, score, factor)
    names = [f"{row['sampler']} {row['format']}" for row in best]
    ax.set_title("\n".join(["on the front:", *names]), fontsize=10.5)
    _bit_axis(ax, [8 * row["bytes_per_weight"] for row in rows])
    ax.set_ylabel(label)
    ax.margins(y=0.14)
    legend_below(figure, ax)
    return figure


def _draw_rows(ax: Axes, rows: list[Summary], score: str, factor: float) -> None:
    means = [factor * row["mean"][score] for row in rows]
    limit, beyond = far_off(means), defaultdict[float, list[float]](list)
    for row, mean in zip(rows, means, strict=True):
        bits, look = 8 * row["bytes_per_weight"], marks(row["sampler"])
        if mean <= limit:
            ax.plot(bits, mean, linestyle="none", label=row["sampler"], **look)
        else:
            place = ax.get_xaxis_transform()
            ax.plot(bits, 0.97, linestyle="none", label=row["sampler"], transform=place, **look)
            beyond[bits].append(mean)
    for bits, found in beyond.items():
        text = "↑ " + "-".join(f"{v:.3g}" for v in sorted({min(found), max(found)}))
        side: dict[str, Any] = (
            {"ha": "left", "xytext": (9, 0)} if bits < 12 else {"ha": "right", "xytext": (-9, 0)}
        )
        ax.annotate(
            text, (bits, 0.97), xycoords=ax.get_xaxis_transform(), textcoords="offset points",
            va="center", **side,
        )  # fmt: skip


def _bit_axis(ax: Axes, bits: list[float]) -> None:
    low, high = min(bits) / 1.25, max(bits) * 1.25
    ax.set_xscale("log", base=2)
    ax.set_xlim(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high]
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()
    ax.set_xlabel("bits a stored weight (scales included)")
    ax.grid()
