"""Scores of predicted class probabilities: error, NLL, expected calibration error, Brier.

All take ``probabilities`` of shape (n, classes) and integer ``labels`` of shape (n,), and count in
float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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
        edges: ascending, from 0 to 1; 15 bins of equal width where None, `papers_edges` for the
            papers' figures.

    Reference: Guo et al., ICML 2017 (arXiv 1706.04599), equation 3.
    """
    bins = reliability(probabilities, labels, edges)
    return float(np.abs(bins.confidence - bins.correct).sum() / bins.points.sum())


def reliability(
    probabilities: torch.Tensor, labels: torch.Tensor, edges: Floats | None = None
) -> Reliability:
    """Points, confidence and hits per bin (edge_i, edge_{i+1}]; 0 belongs to the first."""
    p, y = _checked(probabilities, labels)
    edges = equal_width_edges() if edges is None else edges
    top, hit = p.max(axis=1), p.argmax(axis=1) == y
    bin_of = np.clip(np.searchsorted(edges, top, side="left") - 1, 0, len(edges) - 2)
    weights = (None, top, hit.astype(np.float64))
    return Reliability(
        *(np.bincount(bin_of, w, minlength=len(edges) - 1).astype(np.float64) for w in weights)
    )


def _checked(probabilities: torch.Tensor, labels: torch.Tensor) -> tuple[Floats, NDArray[np.int64]]:
    p = np.asarray(torch.as_tensor(probabilities).detach().cpu(), dtype=np.float64)
    y = np.asarray(torch.as_tensor(labels).cpu())
    if p.ndim != 2 or y.shape != p.shape[:1] or not len(y):
        raise ValueError(
            f"probabilities have shape {p.shape} and labels {y.shape}; "
            "write (n, classes) and (n,), n >= 1"
        )
    if not np.isfinite(p).all() or p.min() < 0 or p.max() > 1 + 1e-6:
        raise ValueError("probabilities must lie in [0, 1]; pass softmax outputs, not logits")
    if y.dtype.kind not in "iu" or y.min() < 0 or y.max() >= p.shape[1]:
        raise ValueError(f"labels of dtype {y.dtype} must be integers in [0, {p.shape[1]})")
    return p, y.astype(np.int64)
