"""Bayesian model averaging: predictions of many posterior samples of one model."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import torch

Batches = Iterable[tuple[torch.Tensor, torch.Tensor]]


class Prediction(NamedTuple):
    """What the samples predict together, and how well each explains the data.

    ``probabilities``: (n, classes), the mean over the samples; ``log_likelihoods``: (samples, n),
    log p(label) of each point under each sample; ``labels``: (n,). Both first fields are float64.
    """

    probabilities: torch.Tensor
    log_likelihoods: torch.Tensor
    labels: torch.Tensor


@torch.no_grad()
def predictive(
    model: torch.nn.Module,
    samples: Iterable[Mapping[str, torch.Tensor]],
    data: tuple[torch.Tensor, torch.Tensor] | Batches,
) -> Prediction:
    """Mean over the samples of softmax(model(x)): probabilities are averaged, not logits.

    Args:
        model: gives logits (batch, classes); called in eval mode and given back as it came.
        samples: state dicts of ``model``, complete or of the parameters alone; taken one at a time,
            never all held.
        data: (inputs, labels), or batches of them that come in the same order every time.

    Returns:
        A `Prediction`; sums run in float64 through logsumexp. Promise: the order of the samples
        does not matter beyond 1e-12 relative.

    Raises:
        ValueError: no samples, or batches whose labels come in another order the second time.
    """
    batches = [data] if isinstance(data, tuple) else data
    total: torch.Tensor | None = None
    labels: torch.Tensor | None = None
    likelihoods = []
    with _evaluating(model):
        for sample in samples:
            log_probs, seen = _log_probabilities(model, sample, batches)
            if labels is not None and not torch.equal(seen, labels):
                raise ValueError(
                    "the batches came in another order for the next sample; "
                    "use a loader with shuffle=False"
                )
            labels = seen
            total = log_probs if total is None else torch.logaddexp(total, log_probs)
            likelihoods.append(log_probs.gather(1, seen[:, None])[:, 0])
    if total is None or labels is None:
        raise ValueError("no samples came; give at least one state dict")
    return Prediction((total - math.log(len(likelihoods))).exp(), torch.stack(likelihoods), labels)


def _log_probabilities(
    model: torch.nn.Module, sample: Mapping[str, torch.Tensor], batches: Batches
) -> tuple[torch.Tensor, torch.Tensor]:
    outputs, labels = [], []
    for inputs, targets in batches:
        logits = torch.func.functional_call(model, dict(sample), (inputs,))
        outputs.append(torch.log_softmax(logits.double(), dim=1))
        labels.append(targets)
    return torch.cat(outputs), torch.cat(labels).long()


@contextlib.contextmanager
def _evaluating(model: torch.nn.Module) -> Iterator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
