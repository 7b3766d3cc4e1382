"""Scores of predicted class probabilities: error, NLL, calibration, Brier, and those of
``uncertainty``.

Scores against labels take ``probabilities`` of shape (n, classes) and integer ``labels`` of shape
(n,), and count in float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from samplers.uncertainty import (
    Floats,
    agreement,
    as_distributions,
    as_probabilities,
    entropy,
    mutual_information,
    ood_auroc,
    total_variation,
)

__all__ = [
    "Reliability", "accuracy", "adaptive_edges", "agreement", "brier", "ece", "entropy",
    "equal_width_edges", "error", "mutual_information", "nll", "ood_auroc", "papers_edges",
    "reliability", "total_variation",
]  # fmt: skip


class Reliability(NamedTuple):
    """Per bin of confidence: the points, the sum of their confidences, and how many were right."""

    points: Floats
    confidence: Floats
    correct: Floats


def equal_width_edges(bins: int = 15) -> Floats:
    """The edges of ``bins`` bins of equal width over [0, 1]."""
    if bins < 1:
        raise ValueError(f"bins={bins!r}; write at least 1")
    return np.linspace(0, 1, bins + 1)


def papers_edges() -> Floats:
    """The low-precision SGLD papers' edges: nine bins from ``linspace(0, 1, 10)``."""
    return np.linspace(0, 1, 10)


def adaptive_edges(probabilities: torch.Tensor, bins: int = 15) -> Floats:
    """Edges of bins with equally many confidences, as far as equal ones can be told apart.

    Args:
        probabilities: (n, classes), those that `ece` is then given beside these edges.
        bins: how many; fewer where confidences repeat.

    Returns:
        Ascending edges from 0 to 1; inner ones are confidences, so that equal ones share a bin.

    Reference: Nixon et al., CVPR Workshops 2019 (arXiv 1904.01685).
    """
    p = as_probabilities(probabilities)
    if p.ndim != 2 or not p.shape[1]:
        raise ValueError(f"probabilities have shape {p.shape}; write (n, classes)")
    top = np.minimum(np.sort(p.max(axis=1)), 1.0)  # softmax may round to a little above 1
    if bins < 1 or not top.size:
        raise ValueError(f"bins={bins!r} of {top.size} points; write at least 1 of each")
    ends = np.ceil(np.arange(1, bins) * top.size / bins).astype(int) - 1
    inner = np.unique(top[ends[ends >= 0]])
    return np.concatenate([[0.0], inner[(inner > 0) & (inner < top[-1])], [1.0]])


def accuracy(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of points whose most probable class is their label."""
    p, y = _checked(probabilities, labels)
    return float((p.argmax(axis=1) == y).mean())


def error(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of points whose most probable class is not their label."""
    return 1 - accuracy(probabilities, labels)


def nll(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean of -log p(label); infinite where a label has probability 0."""
    p, y = _checked(probabilities, labels)
    with np.errstate(divide="ignore"):
        return float(-np.log(p[np.arange(len(y)), y]).mean())


def brier(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Mean over the points of Σ_k (p_k - [k = label])², in [0, 2]."""
    p, y = _checked(probabilities, labels)
    return float(((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1).mean())


def ece(probabilities: torch.Tensor, labels: torch.Tensor, edges: Floats | None = None) -> float:
    """Expected calibration error: Σ_b n_b/n · |mean confidence - accuracy| over the bins b.

    Args:
        probabilities: (n, classes).
        labels: (n,).
        edges: ascending, from 0 to 1; 15 bins of equal width where None, `adaptive_edges` for bins
            of equally many points, `papers_edges` for the papers' figures.

    Reference: Guo et al., ICML 2017 (arXiv 1706.04599), equation 3.
    """
    bins = reliability(probabilities, labels, edges)
    return float(np.abs(bins.confidence - bins.correct).sum() / bins.points.sum())


def reliability(
    probabilities: torch.Tensor, labels: torch.Tensor, edges: Floats | None = None
) -> Reliability:
    """Points, confidence and hits per bin (edge_i, edge_{i+1}]; 0 belongs to the first."""
    p, y = _checked(probabilities, labels)
    edges = equal_width_edges() if edges is None else _checked_edges(edges)
    top, hit = p.max(axis=1), p.argmax(axis=1) == y
    bin_of = np.clip(np.searchsorted(edges, top, side="left") - 1, 0, len(edges) - 2)
    weights = (None, top, hit.astype(np.float64))
    return Reliability(
        *(np.bincount(bin_of, w, minlength=len(edges) - 1).astype(np.float64) for w in weights)
    )


def _checked_edges(edges: Floats) -> Floats:
    found = np.asarray(edges, dtype=np.float64)
    if found.ndim != 1 or len(found) < 2 or not (np.diff(found) >= 0).all():
        raise ValueError(
            f"edges={edges!r} of shape {found.shape}; write at least two, ascending, from 0 to 1, "
            "for example equal_width_edges()"
        )
    return found


def _checked(probabilities: torch.Tensor, labels: torch.Tensor) -> tuple[Floats, NDArray[np.int64]]:
    p = as_distributions(probabilities)
    y = np.asarray(torch.as_tensor(labels).cpu())
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(y):
        raise ValueError(
            f"probabilities have shape {p.shape} and labels {y.shape}; "
            "write (n, classes) and (n,), n >= 1"
        )
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels of dtype {y.dtype} must be integers in [0, {p.shape[1]})")
    return p, y.astype(np.int64)
