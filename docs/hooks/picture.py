"""The picture of README: ``python docs/hooks/picture.py`` draws it into ``docs/images``."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np

import numformats as nf

PATH = pathlib.Path(__file__).resolve().parents[1] / "images" / "formats.svg"
FORMATS = ("fixed<5,2>", "e2m1", "e2m3", "e3m2", "e4m3")
GRID, STEP, STEPS, WEIGHTS = "fixed<8,5>", 0.004, 100, 1000
STYLE = (
    ".nf-picture{--ink:#1f2937;--blue:#0b5394;--orange:#b45309;font:13px sans-serif}"
    "@media(prefers-color-scheme:dark){.nf-picture{--ink:#e5e7eb;--blue:#7db7f0;--orange:#f0b45f}}"
)


def picture() -> str:
    """Number lines of small formats, and weights on an 8-bit grid under two roundings."""
    return (
        '<svg class="nf-picture" xmlns="http://www.w3.org/2000/svg" viewBox="-4 0 860 262" '
        'role="img" '
        'aria-label="Left: the numbers of small formats from 0 to 8. Right: weights that grow by '
        'small steps: nearest rounding holds them, stochastic rounding is right on average.">\n'
        f"<style>{STYLE}</style>\n{_lines()}{_walks()}</svg>\n"
    )


def _text(x: float, y: float, text: str, color: str = "ink", anchor: str = "start") -> str:
    text = text.replace("<", "&lt;").replace(">", "&gt;")
    return f'<text x="{x}" y="{y}" fill="var(--{color})" text-anchor="{anchor}">{text}</text>\n'


def _lines() -> str:
    rows = (_line(name, 62 + 42 * row) for row, name in enumerate(FORMATS))
    return _text(0, 20, "Numbers from 0 to 8") + "".join(rows)


def _line(name: str, y: int) -> str:
    numbers = nf.values(name)
    at = (100 + 40 * v for v in numbers if 0 <= v <= 8)
    marks = "".join(f"M{x:.2f} {y - 9}v18" for x in at)
    axis = f'<path d="M100 {y}h320" stroke="var(--ink)" opacity=".3"/>'
    ticks = f'<path d="{marks}" stroke="var(--blue)" stroke-width="1.4"/>\n'
    return _text(0, y + 5, name) + axis + ticks


def walk(rounding: str) -> Any:
    """Weights from 0 in ``STEPS`` equal steps, rounded to the grid after each: (steps, weights)."""
    path = [np.zeros(WEIGHTS, np.float32)]
    for step in range(STEPS):
        key = step if rounding == "stochastic" else None
        path.append(nf.quantize(path[-1] + np.float32(STEP), GRID, rounding, key=key))
    return np.array(path)


def _walks() -> str:
    nearest, drawn = walk("nearest_even"), walk("stochastic")
    singles = (_path(drawn[:, i], "blue", "1", ' opacity=".35"') for i in range(6))
    return (
        _text(480, 20, f"Weights in {GRID} after steps of {STEP}")
        + '<path d="M520 40v190h300" fill="none" stroke="var(--ink)" opacity=".3"/>\n'
        + "".join(singles)
        + _path(drawn.mean(axis=1), "blue", "3")
        + _path(np.arange(STEPS + 1) * STEP, "ink", "1", ' stroke-dasharray="4 4"')
        + _path(nearest[:, 0], "orange", "3")
        + _text(510, 235, "0", anchor="end")
        + _text(510, 115, f"{STEP * STEPS:g}", anchor="end")
        + _text(820, 250, f"{STEPS} steps", anchor="end")
        + _text(815, 220, "nearest: none moves", "orange", "end")
        + _text(530, 50, f"stochastic: six, and the mean of {WEIGHTS}", "blue")
    )


def _path(values: Any, color: str, width: str, more: str = "") -> str:
    points = " ".join(f"{520 + 3 * i},{230 - 300 * v:.1f}" for i, v in enumerate(values))
    style = f'fill="none" stroke="var(--{color})" stroke-width="{width}"{more}'
    return f'<polyline {style} points="{points}"/>\n'


if __name__ == "__main__":
    PATH.write_text(picture())
    print(PATH)
