"""The page of rounding modes, drawn from the registry ``nf.roundings()``."""

from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
from mkdocs.structure.files import File, Files
from rounding_law import RANDOM_BITS, errors, mean_result

import numformats as nf

PER_GAP = 32
PICTURE = """<svg class="plot" viewBox="0 0 480 200" role="img" aria-label="{label}">
<g transform="translate(110,100)">{result}</g><g transform="translate(360,100)">{error}</g>
<text x="110" y="196" text-anchor="middle">result</text>
<text x="360" y="196" text-anchor="middle">mean error</text></svg>
"""
HEAD = f"""# Rounding modes

Every mode is one expression in `numformats/rounding.py`, compiled for every backend. This page is
made from the registry, `nf.roundings()`, by evaluating those expressions.

**Pictures.** Left: the result over the number, both in gaps of the grid, from -2 to 2, with a point
at each tie; where a mode draws, the darker of two candidates is the likelier, and the coloured line
is the mean. Right: mean result minus number; the frame is ±1 gap. Modes of few random bits have
{RANDOM_BITS} here.

**Figures.** Errors in gaps, over fractions uniform in [0, 1) and both parities of the kept part.
The mean above zero is positive when a mode rounds up there.

| mode | draws | mean error, x > 0 | mean error, x < 0 | RMS error | largest error |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The page in Markdown: a table of all modes, then each with its expression and picture."""
    modes = nf.roundings()
    return HEAD + "".join(map(_row, modes.values())) + "".join(map(_section, modes.values()))


def _row(mode: Any) -> str:
    found = errors(mode)
    draws = f"{RANDOM_BITS} bits" if mode.few_bits else "yes" if mode.stochastic else "no"
    numbers = (found.mean_above_zero, found.mean_below_zero, found.root_mean_square, found.largest)
    cells = " | ".join(f"{number + 0.0:.4f}".replace("-0.0000", "0.0000") for number in numbers)
    return f"| [`{mode.name}`](#{mode.name}) | {draws} | {cells} |\n"


def _section(mode: Any) -> str:
    source = inspect.getsource(mode.away)
    body = source[source.index('"""\n', source.index('"""') + 3) + 4 :].rstrip()
    body = re.sub(r"  # noqa.*", "", body)
    lines = "\n".join(line.removeprefix("    ") for line in body.splitlines())
    said = inspect.getdoc(mode.away)
    code = f"```py\n{lines}\n```\n"
    return f"\n## {mode.name} {{ #{mode.name} }}\n\n{said}\n\n{code}\n{picture(mode)}"


def picture(mode: Any) -> str:
    """An SVG of the mode between -2 and 2 gaps, and of its mean error."""
    x = (np.arange(-2 * PER_GAP, 2 * PER_GAP) + 0.5) / PER_GAP
    near, far, away = mean_result(mode, x)
    mean = (1 - away) * near + away * far
    marks = _marks(x, near, 1 - away) + _marks(x, far, away) + _ties(mode)
    result = f"{_grid()}{marks}" + (_line(x, mean, 40) if mode.stochastic else "")
    error = f"{_grid()}{_line(x, mean - x, 80)}"
    return PICTURE.format(label=f"{mode.name}: result and mean error", result=result, error=error)


def _marks(x: Any, result: Any, chance: Any) -> str:
    """Bars at a candidate, one for every run of equal chance."""
    changes = 1 + np.flatnonzero(np.diff(result) ** 2 + np.diff(chance) ** 2 > 1e-9)
    return "".join(
        f'<rect x="{40 * x[run[0]] - 0.6:.2f}" y="{-40 * result[run[0]] - 2:.2f}" '
        f'width="{1.25 * len(run):.2f}" height="4" fill="currentColor" '
        f'opacity="{chance[run[0]]:.3f}"/>'
        for run in np.split(np.arange(len(x)), changes)
        if chance[run[0]] > 0
    )


def _ties(mode: Any) -> str:
    """Points where a number lies midway."""
    x = np.arange(-1.5, 2)
    near, far, away = mean_result(mode, x)
    return "".join(
        f'<circle cx="{40 * v:g}" cy="{-40 * y:g}" r="4" fill="currentColor" opacity="{p:.3f}"/>'
        for v, a, b, q in zip(x, near, far, away, strict=True)
        for y, p in ((a, 1 - q), (b, q))
        if p > 0
    )


def _grid() -> str:
    """The frame of a panel, and its axes."""
    return (
        '<path d="M-80 -80h160v160h-160zM-80 0h160M0 -80v160" fill="none" stroke="currentColor" '
        'opacity=".3"/>'
    )


def _line(x: Any, y: Any, scale: float) -> str:
    pieces = np.split(np.arange(len(x)), 1 + np.flatnonzero(np.abs(np.diff(y)) > 0.4))
    return "".join(
        '<polyline fill="none" stroke="var(--numbers, currentColor)" stroke-width="2" points="'
        + " ".join(f"{40 * x[i]:.1f},{-scale * y[i]:.1f}" for i in piece)
        + '"/>'
        for piece in pieces
    )


def on_files(files: Files, config: Any) -> None:
    """The page is made, not kept."""
    files.append(File.generated(config, "rounding-modes.md", content=page()))
