"""The heat map of rounding errors: what every format does to every tensor of trained weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from samplers.compare.plots.palette import LINE, PAPER, WIDTH, panel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAP = "cividis"
TOP = 60.0  # dB of the brightest cell
EVEN = 0.179  # luminance on which black and white are equally legible


def letters_on(shade: float) -> str:
    """The colour of text on a cell, nearly white or nearly black (black and white are the page's).

    Args:
        shade: in dB, from 0 to ``TOP``.
    """
    from matplotlib import colormaps

    rgb = colormaps[MAP](shade / TOP)[:3]
    linear = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb)
    light = sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#010101" if light > EVEN else "#fefefe"


def layers_figure(layers: dict[str, Any]) -> Figure:
    """SQNR in dB, one row a format and one column a tensor; a dash where a chip keeps float32.

    Args:
        layers: of ``results.json``: ``tensors``, ``formats``, ``sqnr_db`` (one list a format, None
            where rounding changed nothing).
    """
    tensors, formats, table = layers["tensors"], layers["formats"], layers["sqnr_db"]
    width = 0.5 + 0.085 * max(map(len, formats)) + 0.5 * len(tensors)
    figure, ax = panel(1.1 + 1.5 * LINE * len(formats), max(WIDTH, width))
    shades = [[TOP if v is None else min(max(v, 0.0), TOP) for v in line] for line in table]
    ax.pcolormesh(shades, cmap=MAP, vmin=0, vmax=TOP, edgecolors=PAPER, linewidth=1)
    for i, line in enumerate(table):
        for j, value in enumerate(line):
            ax.text(
                j + 0.5, i + 0.5, "exact" if value is None else f"{value:.1f}",
                ha="center", va="center", fontsize=9,
                color=letters_on(shades[i][j]),
            )  # fmt: skip
    crowded = len(tensors) > 5
    ax.set_xticks([j + 0.5 for j in range(len(tensors))], tensors, rotation=40 * crowded)
    ax.set_yticks([i + 0.5 for i in range(len(formats))], formats)
    ax.invert_yaxis()
    ax.tick_params(length=0)
    for spine in ax.spines.values():
        spine.set_visible(False)
    ax.set_title("SQNR of rounded weights, dB")
    return figure
