"""What studies of classifiers share: rows, scores, the papers' order of errors, and a plot."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from samplers import metrics
from samplers.predictive import Prediction
from samplers.reproductions.study import Claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOLERANCE = 0.005  # NLL; differences below it are called equal
Scores = dict[str, float]


def check_rows(given: Iterable[str], known: Collection[str]) -> None:
    """There are rows, and each is one that the study has.

    Raises:
        ValueError: none, or another.
    """
    names = list(given)
    strange = [name for name in names if name not in known]
    if strange or not names:
        what = f"rows {strange} are unknown" if strange else "no rows came"
        raise ValueError(f"{what}; write some of {list(known)}")


def scores_of(found: Prediction, samples: int) -> Scores:
    """Samples, error and ECE (in the papers' bins) in percent, and NLL of a mean prediction."""
    p, y = found.probabilities.cpu(), found.labels.cpu()
    scores = {"error": 100 * metrics.error(p, y), "nll": metrics.nll(p, y)}
    return {"samples": samples, **scores, "ece": 100 * metrics.ece(p, y, metrics.papers_edges())}


def ordered(scored: dict[str, Scores], pairs: Iterable[tuple[str, str]]) -> list[Claim]:
    """That the first of each pair has the lower NLL, for the pairs of rows that were run."""
    claims = []
    for better, worse in pairs:
        if better in scored and worse in scored:
            one, other = scored[better]["nll"], scored[worse]["nll"]
            why = f"{one:.4f}, {other:.4f}"
            text = f"{better} has an NLL lower than {worse} by more than {TOLERANCE}"
            claims.append(Claim(text, one < other - TOLERANCE, why))
    return claims


def bars(scored: dict[str, Scores]) -> Figure:
    """Error and NLL of every row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 3.4), layout="constrained")
    labels = {"error": "test error (%)", "nll": "test NLL"}
    for ax, (score, label) in zip(figure.subplots(1, 2, sharey=True), labels.items(), strict=True):
        ax.barh(list(scored), [scores[score] for scores in scored.values()], color="0.7")
        ax.set_xlabel(label)
    ax.invert_yaxis()
    return figure
