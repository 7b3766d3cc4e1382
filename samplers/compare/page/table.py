"""The table of the page: a cell has its text, and the number that it is sorted by."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from samplers.compare.plots.pareto import front
from samplers.compare.summary import spread

Summary = dict[str, Any]


class Column(NamedTuple):
    """A column: its head, and what it says at length."""

    head: str
    title: str
    numeric: bool = True


class Cell(NamedTuple):
    """Text, and the number to sort by; text columns are sorted by their text."""

    text: str
    number: float | None = None


COLUMNS = (
    Column("method", "sampler and accumulator", numeric=False),
    Column("format", "of weights and gradients, or of products", numeric=False),
    Column("error %", "test error, mean ± standard deviation over the chains"),
    Column("NLL", "negative log-likelihood a test image, in nats"),
    Column("ECE %", "expected calibration error, 15 bins"),
    Column("single NLL", "mean NLL of one sample alone"),
    Column("bytes/weight", "of a kept sample, packed, scales included"),
    Column("in training", "bytes a weight while it is trained, accumulator included"),
    Column("deficit %", "draws that got more variance than asked"),
    Column("front", "on the front of error, NLL or both against bits", numeric=False),
)


def table_rows(rows: list[Summary]) -> list[list[Cell]]:
    """The cells of every row, in the order of ``COLUMNS``.

    Args:
        rows: of ``results.json``.
    """
    fronts = {score: front(rows, score) for score in ("error", "nll")}
    names = {"error": "error", "nll": "NLL"}
    return [
        [
            Cell(row["sampler"]),
            Cell(row["format"]),
            *_scores(row),
            Cell(f"{row['bytes_per_weight']:.3f}", row["bytes_per_weight"]),
            Cell(f"{row['training_bytes_per_weight']:.3f}", row["training_bytes_per_weight"]),
            Cell(f"{100 * row['mean']['deficit']:.1f}", row["mean"]["deficit"]),
            Cell(", ".join(names[s] for s, best in fronts.items() if row in best)),
        ]
        for row in rows
    ]


def _scores(row: Summary) -> list[Cell]:
    mean = row["mean"]
    return [
        _number(spread(row, "error", 100, 2), mean["error"]),
        _number(spread(row, "nll", 1, 3), mean["nll"]),
        _number(spread(row, "ece", 100, 2), mean["ece"]),
        _number(f"{mean['single_sample_nll']:.3f}", mean["single_sample_nll"]),
    ]


def _number(text: str, value: float) -> Cell:
    """What is infinite or no number sorts behind all others."""
    return Cell(text, value if math.isfinite(value) else 1e300)
