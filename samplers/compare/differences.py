"""Two comparisons side by side: rows of one name, their differences, and what else differs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Results = dict[str, Any]
SCORES = ("error", "nll", "ece")


def differences(first: Results, second: Results, names: tuple[str, str]) -> dict[str, Any]:
    """What two comparisons found, second minus first.

    Args:
        first: the content of a ``results.json``.
        second: likewise.
        names: of their folders.

    Returns:
        Plain data: ``rows`` that both have, each with ``first``, ``second`` and ``difference`` of
        every score (``mean`` and ``std``); ``only`` in one of them; ``settings`` and ``versions``
        that differ. The spread of a difference is √(s₁²/n₁ + s₂²/n₂), of n chains with standard
        deviation s: a standard error; None where one of them has a single chain.

    Raises:
        ValueError: no row has the same name in both.
    """
    rows = [{_name(row): row for row in results["rows"]} for results in (first, second)]
    shared = [name for name in rows[0] if name in rows[1]]
    if not shared:
        raise ValueError(
            f"{names[0]} and {names[1]} share no row: {', '.join(rows[0])} beside "
            f"{', '.join(rows[1])}; compare folders with a sampler and format in common"
        )
    return {
        "folders": list(names),
        "rows": [_row(rows[0][name], rows[1][name]) for name in shared],
        "only": [[n for n in a if n not in b] for a, b in (rows, rows[::-1])],
        "settings": _differing(first["config"], second["config"]),
        "versions": _differing(first["versions"], second["versions"]),
        "commands": [first["command"], second["command"]],
    }


def table(found: dict[str, Any]) -> Table:
    """The differences for a terminal."""
    from rich import box
    from rich.table import Table

    caption = "second minus first ± standard error; what differs: " + (
        ", ".join(found["settings"] | found["versions"]) or "nothing"
    )
    title = f"{Path(found['folders'][1]).name} minus {Path(found['folders'][0]).name}"
    result = Table(title=title, caption=caption, box=box.SIMPLE_HEAD, show_edge=False)
    for name in ("sampler", "format"):
        result.add_column(name, no_wrap=True)
    for name in ("Δ error %", "Δ NLL", "Δ ECE %"):
        result.add_column(name, justify="right", no_wrap=True)
    for row in found["rows"]:
        cells = [difference_text(row, score) for score in SCORES]
        result.add_row(row["sampler"], row["format"], *cells)
    return result


def difference_text(row: dict[str, Any], score: str) -> str:
    """A difference with its sign and spread, errors and ECE in per cent."""
    found, factor = row["difference"][score], 1 if score == "nll" else 100
    digits = 3 if score == "nll" else 2
    text = f"{factor * found['mean']:+.{digits}f}"
    return text if found["std"] is None else f"{text} ± {factor * found['std']:.{digits}f}"


def _name(row: dict[str, Any]) -> str:
    return f"{row['sampler']} {row['format']}"


def _row(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    return {
        "sampler": first["sampler"],
        "format": first["format"],
        "bytes_per_weight": [first["bytes_per_weight"], second["bytes_per_weight"]],
        "first": {score: _score(first, score) for score in SCORES},
        "second": {score: _score(second, score) for score in SCORES},
        "difference": {score: _difference(first, second, score) for score in SCORES},
    }


def _score(row: dict[str, Any], score: str) -> dict[str, Any]:
    return {"mean": row["mean"][score], "std": row["std"][score]}


def _difference(first: dict[str, Any], second: dict[str, Any], score: str) -> dict[str, Any]:
    spread = None
    if first["std"][score] is not None and second["std"][score] is not None:
        parts = (row["std"][score] ** 2 / len(row["chains"]) for row in (first, second))
        spread = math.sqrt(sum(parts))
    return {"mean": second["mean"][score] - first["mean"][score], "std": spread}


def _differing(first: dict[str, Any], second: dict[str, Any]) -> dict[str, list[Any]]:
    names = list(dict.fromkeys([*first, *second]))
    return {n: [first.get(n), second.get(n)] for n in names if first.get(n) != second.get(n)}
