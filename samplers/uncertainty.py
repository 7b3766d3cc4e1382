"""What a prediction says of itself, and how two predictions differ: entropy, mutual information,
detection of other data, agreement, total variation."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SUM = 0.01  # how far sums of probabilities may be from 1


def entropy(probabilities: Any) -> Floats:
    """-Σ_k p_k log p_k in nats over the last axis; shape (..., classes) gives (...)."""
    p = as_distributions(probabilities)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, -p * np.log(p), 0.0)
    return np.asarray(terms.sum(axis=-1))


def mutual_information(probabilities: Any, expected_entropy: Any) -> Floats:
    """What the samples of a prediction disagree about: I = H(p̄) - 1/S Σ_s H(p_s), in nats.

    Args:
        probabilities: p̄, the mean over the samples, (n, classes).
        expected_entropy: the mean of the samples' entropies, (n,), as `Prediction` has it; of a
            stack of predictions (samples, n, classes) it is ``entropy(stack).mean(axis=0)``.

    Returns:
        (n,), at least 0: rounding below it is cut.

    Reference: Houlsby et al., 2011 (arXiv 1112.5745), equation 2.
    """
    total, expected = entropy(probabilities), _array(expected_entropy)
    if total.shape != expected.shape:
        raise ValueError(
            f"probabilities have shape {(*total.shape, '...')} and expected_entropy "
            f"{expected.shape}; write (n, classes) and (n,)"
        )
    return np.maximum(total - expected, 0.0)


def ood_auroc(inside: Any, outside: Any) -> float:
    """How well a score tells other data from the data of training: the area under the ROC curve.

        P(score of an outside point > score of an inside point) + ½ P(equal)

    Args:
        inside: scores of points like those of training, any shape; for example their entropies.
        outside: scores of other points; the area is above ½ where they are larger.

    Raises:
        ValueError: no points, or a score that is NaN.
    """
    low, high = _array(inside).ravel(), _array(outside).ravel()
    if not low.size or not high.size or np.isnan(low).any() or np.isnan(high).any():
        raise ValueError(
            f"{low.size} inside and {high.size} outside scores, NaN in "
            f"{int(np.isnan(low).sum() + np.isnan(high).sum())}; write at least one of each, no NaN"
        )
    ordered = np.sort(low)
    below, upto = (np.searchsorted(ordered, high, side) for side in ("left", "right"))
    return float((below.sum() + upto.sum()) / (2 * low.size * high.size))


def agreement(probabilities: Any, reference: Any) -> float:
    """Share of points for which both predictions name the same class.

    Reference: Izmailov et al., ICML 2021 (arXiv 2104.14421).
    """
    p, q = _pair(probabilities, reference)
    return float((p.argmax(axis=-1) == q.argmax(axis=-1)).mean())


def total_variation(probabilities: Any, reference: Any) -> float:
    """Mean over the points of ½ Σ_k |p_k - q_k|, in [0, 1].

    Reference: Izmailov et al., ICML 2021 (arXiv 2104.14421).
    """
    p, q = _pair(probabilities, reference)
    return float(np.abs(p - q).sum(axis=-1).mean() / 2)


def as_probabilities(probabilities: Any) -> Floats:
    """Probabilities as float64 (..., classes).

    Raises:
        ValueError: values that are no probabilities.
    """
    p = _array(probabilities)
    if p.size and (not np.isfinite(p).all() or p.min() < 0 or p.max() > 1 + 1e-6):
        raise ValueError("probabilities must lie in [0, 1]; pass softmax outputs, not logits")
    return p


def as_distributions(probabilities: Any) -> Floats:
    """Probabilities as float64 (..., classes) that sum to 1 over the classes.

    Raises:
        ValueError: values that are no probabilities, or sums that are off by more than half
            precision explains.
    """
    p = as_probabilities(probabilities)
    sums = p.sum(axis=-1)
    if p.ndim and (np.abs(sums - 1) > SUM).any():
        worst = sums.flat[np.abs(sums - 1).argmax()]
        raise ValueError(
            f"probabilities of a point sum to {worst:.6g}, not 1; pass softmax outputs, or divide "
            "them by their sum"
        )
    return p


def _array(values: Any) -> Floats:
    return np.asarray(torch.as_tensor(values).detach().cpu().double())


def _pair(probabilities: Any, reference: Any) -> tuple[Floats, Floats]:
    p, q = as_distributions(probabilities), as_distributions(reference)
    if p.ndim != 2 or p.shape != q.shape or not p.size:
        raise ValueError(
            f"probabilities have shape {p.shape} and the reference {q.shape}; write (n, classes) "
            "for both, n >= 1"
        )
    return p, q
