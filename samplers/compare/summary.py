"""Means and spreads over the chains, as data, as a CSV file and as a table."""

from __future__ import annotations

import csv
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samplers.compare.rows import Row
from samplers.compare.storing import bytes_per_weight

if TYPE_CHECKING:
    from rich.table import Table

SCORES = ("error", "nll", "ece", "ece_papers_bins", "brier", "single_sample_nll")
SHARES = ("deficit", "saturated")


def summarise(
    row: Row, shapes: Iterable[tuple[int, ...]], outcomes: list[dict[str, Any]]
) -> dict[str, Any]:
    """One row: mean and standard deviation (None for one chain) of each score; every outcome.

    Args:
        row: what was trained.
        shapes: of its weights.
        outcomes: of its chains.
    """
    stored, training = bytes_per_weight(row, shapes)
    values = {name: [float(o[name]) for o in outcomes] for name in SCORES}
    values |= {name: [float(o["counters"][name]) for o in outcomes] for name in SHARES}
    return {
        "sampler": row.sampler,
        "format": row.format,
        "accelerator": row.accelerator,
        "arithmetic": row.arithmetic,
        "bytes_per_weight": stored,
        "training_bytes_per_weight": training,
        "samples": outcomes[0]["samples"],
        "mean": {name: statistics.fmean(v) for name, v in values.items()},
        "std": {name: statistics.stdev(v) if len(v) > 1 else None for name, v in values.items()},
        "chains": outcomes,
    }


def write_csv(path: Path, summaries: list[dict[str, Any]]) -> None:
    """One line for each chain of each row."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sampler", "format", "chain", "samples", *SCORES, *SHARES, "seconds"])
        for summary in summaries:
            for chain, outcome in enumerate(summary["chains"]):
                numbers = [outcome[name] for name in SCORES] + [
                    outcome["counters"][name] for name in SHARES
                ]
                head = [summary["sampler"], summary["format"], chain, outcome["samples"]]
                writer.writerow([*head, *numbers, outcome["seconds"]])


def table(summaries: list[dict[str, Any]], title: str) -> Table:
    """The comparison for a terminal: mean ± standard deviation over the chains."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    chains, samples = len(summaries[0]["chains"]), summaries[0]["samples"]
    caption = (
        f"mean ± standard deviation over {chains} chain(s) of {samples} samples each;\n"
        "single: NLL of one sample; bits: of a stored weight, scales included;\n"
        "deficit: draws with more variance than asked"
    )
    result = Table(
        title=title, caption=caption, box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 0)
    )
    result.add_column("format, sampler", no_wrap=True)
    for name in ("error %", "NLL", "ECE %", "single", "bits", "deficit"):
        result.add_column(name, justify="right", no_wrap=True)
    previous = None
    for summary in summaries:
        if previous != summary["format"]:
            previous = summary["format"]
            result.add_section()
            result.add_row(Text(previous, style="bold"))
        result.add_row(f"  {summary['sampler']}", *_cells(summary))
    return result


def _cells(summary: dict[str, Any]) -> list[str]:
    mean = summary["mean"]
    scores = [
        spread(summary, "error", 100, 2),
        spread(summary, "nll", 1, 3),
        spread(summary, "ece", 100, 2),
    ]
    return [
        *(text.replace(" ± ", "±") for text in scores),
        f"{mean['single_sample_nll']:.3f}",
        f"{8 * summary['bytes_per_weight']:.1f}",
        f"{100 * mean['deficit']:.1f}%",
    ]


def spread(summary: dict[str, Any], name: str, factor: float, digits: int) -> str:
    """A score as ``mean ± std``, or the mean alone of a single chain."""
    mean, std = summary["mean"][name], summary["std"][name]
    text = f"{factor * mean:.{digits}f}"
    return text if std is None else f"{text} ± {factor * std:.{digits}f}"
