"""A figure as files, and as SVG that takes its colours from the page around it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from samplers.compare.plots.palette import AXIS, GRID, INK, PAPER

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VARIABLES = {INK: "var(--ink)", AXIS: "var(--axis)", GRID: "var(--grid)", PAPER: "var(--paper)"}
NO_DATE = dict.fromkeys(("Date", "Creator", "Format", "Type"))  # equal figures give equal files


def write_files(figure: Figure, out: Path, name: str) -> None:
    """Write ``name.png`` and ``name.svg`` into ``out``, dark on white, letters as outlines."""
    from matplotlib import rc_context

    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once for all files
    figure.savefig(out / f"{name}.png", dpi=200)
    with rc_context({"svg.fonttype": "path", "svg.hashsalt": name}):
        figure.savefig(out / f"{name}.svg", metadata=NO_DATE)


def inline(figure: Figure, name: str, title: str) -> str:
    """An ``<svg>`` element for a page: colours of ink, axes and paper are the page's variables.

    Args:
        figure: to draw.
        name: begins every id in it, so that several fit on one page.
        title: what a screen reader says.
    """
    from matplotlib import rc_context

    buffer = io.StringIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", transparent=True, metadata=NO_DATE)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, variable)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", text)
    text = re.sub(r'\sxmlns(:xlink)?="[^"]*"', "", text)
    head = f'<svg role="img" aria-label="{title}"'
    return text.replace("<svg", head, 1)
