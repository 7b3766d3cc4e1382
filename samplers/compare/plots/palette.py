"""What every plot shares: a colour and a shape for each sampler, sizes, and the look of axes.

Okabe and Ito's colours, which people of any colour vision tell apart; shapes say the same again.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Summary = dict[str, Any]
INK, AXIS, GRID, PAPER = "#1b1f24", "#868e98", "#d9dee4", "#ffffff"
WIDTH = 4.4  # inches of a panel: text keeps its size on a telephone
LINE = 0.25  # inches of a line of a list
RC: dict[str, Any] = {
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.color": AXIS,
    "ytick.color": AXIS,
    "axes.edgecolor": AXIS,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 10.5,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "figure.facecolor": PAPER,
    "savefig.facecolor": "auto",
    "lines.linewidth": 1.3,
    "lines.markersize": 6,
}


class Style(NamedTuple):
    """How a sampler is drawn."""

    colour: str
    marker: str


STYLES = {
    "SGD": Style("#999999", "s"),
    "SGLD": Style(INK, "o"),
    "cSGLD": Style("#CC79A7", "h"),
    "SGLD-F": Style("#0072B2", "^"),
    "VC SGLD-L": Style("#009E73", "D"),
    "SGLD-L": Style("#D55E00", "v"),
    "SGD-L": Style("#E69F00", "P"),
    "SGLD inference": Style("#56B4E9", "X"),
}


def style_of(sampler: str) -> Style:
    """The style of a sampler; of an unknown one a grey cross."""
    return STYLES.get(sampler, Style("#999999", "x"))


def marks(sampler: str) -> dict[str, Any]:
    """Keywords of a marker: filled, with an edge that any background lets stand out."""
    style = style_of(sampler)
    edge = style.colour if style.marker == "x" else INK
    return {
        "marker": style.marker,
        "color": style.colour,
        "markeredgecolor": edge,
        "markeredgewidth": 0.6 if style.marker != "x" else 1.5,
    }


def panel(height: float, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure of one panel, sizes in inches; to be called within ``look()``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.subplots()


def look() -> Any:
    """The context in which figures are drawn and saved."""
    from matplotlib import rc_context

    return rc_context(RC)  # type: ignore[arg-type]


def far_off(values: Sequence[float]) -> float:
    """Where to end an axis that a few values, far above all others, would squeeze.

    Else the largest float64, beyond which lie infinity and NaN.

    Few: one, or an eighth. Far: the gap below them is wider than the range of all others.

    Args:
        values: of any kind; those that are not finite are left out.

    Example:
        >>> far_off([1.0, 2.0, 1.5, 9.0]), far_off([1.0, 2.0, 1.5, 2.4]) == sys.float_info.max
        (2.0, True)
    """
    found = sorted(value for value in values if math.isfinite(value))
    for count in range(max(1, len(found) // 8), 0, -1):
        rest = found[:-count]
        if len(rest) > 2 and found[-count] - rest[-1] > rest[-1] - rest[0] > 0:
            return rest[-1]
    return sys.float_info.max


def legend_below(figure: Figure, axes: Axes, columns: int = 3) -> None:
    """The legend under the panel, where it hides nothing."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        unique = dict(zip(labels, handles, strict=True))
        figure.legend(
            unique.values(),
            unique.keys(),
            loc="outside lower center",
            ncols=columns,
            columnspacing=1.2,
            handletextpad=0.4,
        )
