"""Pictures of an analysis: magnitudes against the range of formats, errors by layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, FixedPoint, Format
from numformats.naming import parse
from numformats.torch.analysis.observation import Analysis, Observation

BARS, NORMAL, SUBNORMAL = "#56B4E9", "#0072B2", "#E69F00"  # Okabe and Ito's colours


def plot_binades(
    seen: Observation, formats: Sequence[FormatLike] | None = None, axes: Any = None
) -> Any:
    """The share of elements in each binade, above the ranges that formats cover.

    Args:
        seen: one role of one module, ``analysis[module, role]``.
        formats: whose ranges to draw; those of the analysis by default. Block formats and scaled
            ones are drawn with the scale that puts the largest magnitude seen at their largest.
        axes: a ``matplotlib`` Axes; a new figure by default.

    Returns:
        The figure. Needs the extra ``report``.

    Raises:
        ValueError: nothing but zeros was seen.
    """
    shares = seen.binades.shares()
    if not shares:
        raise ValueError(f"{seen.module!r}, {seen.role}: no nonzero element was seen")
    axes = axes if axes is not None else _axes(7.2, 3.6)
    axes.bar([e + 0.5 for e in shares], list(shares.values()), width=0.92, color=BARS)
    names = list(seen.tallies) if formats is None else [str(parse(fmt)) for fmt in formats]
    top = max(shares.values())
    for row, name in enumerate(names):
        tally = seen.tallies.get(name)
        scaled = tally is not None and tally.scaling is not None
        _draw_range(axes, parse(name), -top * 0.11 * (row + 1), seen.binades.amax, scaled)
    left, right = axes.get_xlim()
    axes.set_xlim(left, right + 0.14 * (right - left))  # room for the last name
    axes.axhline(0, color="0.3", linewidth=0.8)
    axes.set_ylim(-top * 0.11 * (len(names) + 1), top * 1.08)
    ticks = [tick for tick in axes.get_yticks() if 0 <= tick <= top * 1.08]
    axes.set_yticks(ticks, [f"{tick:.0%}" if top > 0.05 else f"{tick:.1%}" for tick in ticks])
    axes.set_xlabel("log2 |x|")
    axes.set_ylabel("share of elements")
    zeros = seen.binades.zeros / seen.binades.elements
    axes.set_title(f"{seen.module or 'model'}: {seen.role}, {zeros:.1%} zeros", loc="left")
    _legend(axes)
    return axes.figure


def _draw_range(axes: Any, fmt: Format, y: float, amax: float, scaled: bool) -> None:
    """A bar over the normal values, one over the subnormal ones, and the name."""
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    shift = math.log2(amax / float(element.max)) if scaled or isinstance(fmt, BlockFloat) else 0.0
    top = math.log2(float(element.max)) + shift
    if isinstance(element, FixedPoint):
        low = normal = math.log2(float(element.quantum)) + shift
    else:
        normal = float(element.emin) + shift
        low = math.log2(float(element.smallest)) + shift
    axes.plot([normal, top], [y, y], color=NORMAL, linewidth=5, solid_capstyle="butt")
    if low < normal:
        axes.plot([low, normal], [y, y], color=SUBNORMAL, linewidth=5, solid_capstyle="butt")
    axes.annotate(str(fmt), (top, y), (5, 0), textcoords="offset points", va="center", fontsize=8)


def _legend(axes: Any) -> None:
    from matplotlib.lines import Line2D

    lines = [
        Line2D([], [], color=color, linewidth=5, label=label)
        for color, label in ((NORMAL, "normal values"), (SUBNORMAL, "subnormal values"))
    ]
    axes.legend(handles=lines, loc="upper left", fontsize=8, frameon=False)


def plot_layers(found: Analysis, role: str = "weights", axes: Any = None) -> Any:
    """The SQNR of every module in every format, for one role, as a map of colours with numbers.

    Returns:
        The figure. Needs the extra ``report``.

    Raises:
        ValueError: a role that was not seen.
    """
    rows = [row for row in found.rows() if row["role"] == role]
    if not rows:
        known = sorted({role for _, role in found.observations})
        raise ValueError(f"role={role!r} was not seen; write one of {', '.join(known)}")
    modules = list(dict.fromkeys(row["module"] for row in rows))
    formats = list(dict.fromkeys(row["format"] for row in rows))
    table = {(row["module"], row["format"]): row["sqnr"] for row in rows}
    axes = axes if axes is not None else _axes(2.4 + 1.1 * len(formats), 1.2 + 0.36 * len(modules))
    values = [[min(table[m, f], 160.0) for f in formats] for m in modules]
    axes.imshow(values, cmap="cividis", aspect="auto", vmin=0, vmax=max(60, *map(max, values)))
    for i, module in enumerate(modules):
        for j, fmt in enumerate(formats):
            value = table[module, fmt]
            dark = min(value, 160.0) < 30
            axes.text(
                j, i, "exact" if math.isinf(value) and value > 0 else f"{value:.1f}",
                ha="center", va="center", fontsize=8, color="white" if dark else "black",
            )  # fmt: skip
    axes.set_xticks(range(len(formats)), formats, fontsize=8)
    axes.set_yticks(range(len(modules)), modules, fontsize=8)
    axes.set_title(f"SQNR of {role}, dB", loc="left")
    return axes.figure


def _axes(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure((width, height), layout="constrained", dpi=150).add_subplot()
