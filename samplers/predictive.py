"""Bayesian model averaging: predictions of many posterior samples of one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sized
from typing import Any, NamedTuple

import torch

from samplers.averaging import PredictiveAverage
from samplers.batches import Batches, Data, as_batches, at_least_one, check_rereadable
from samplers.metrics import mutual_information
from samplers.norms import evaluating, refresh_norms
from samplers.samples import Samples


class Prediction(NamedTuple):
    """What the samples predict together, and how well each explains the data.

    ``probabilities``: (n, classes), the mean over the samples; ``log_likelihoods``: (samples, n),
    log p(label) of each point under each sample; ``labels``: (n,); ``expected_entropy``: (n,), the
    mean entropy of the samples' predictions in nats. All but the labels are float64.
    """

    probabilities: torch.Tensor
    log_likelihoods: torch.Tensor
    labels: torch.Tensor
    expected_entropy: torch.Tensor

    @property
    def mutual_information(self) -> torch.Tensor:
        """What the samples disagree about, (n,), in nats."""
        return torch.from_numpy(mutual_information(self.probabilities, self.expected_entropy))


@torch.no_grad()
def predictive(
    model: torch.nn.Module,
    samples: Iterable[Mapping[str, torch.Tensor]],
    data: Data,
    *,
    refresh: Data | None = None,
) -> Prediction:
    """Mean over the samples of softmax(model(x)): probabilities are averaged, not logits.

    Args:
        model: gives logits (batch, classes); called in eval mode and given back as it came.
        samples: a ``SampleStore``, or state dicts of ``model``, complete or of some tensors; the
            others are the model's own. Taken one at a time, never all held, in the model's dtypes.
        data: (inputs, labels), or batches of them that come in the same order every time; a list
            or a ``DataLoader``, since every sample reads them. Labels are integers, one an input.
        refresh: (inputs, targets) or batches of them, training data as a rule, to compute the
            running statistics of batch normalisation from for each sample's weights
            (``norms.refresh_norms``); None takes those of the sample, or else of the model.

    Returns:
        A `Prediction`; sums run in float64 through logaddexp. Promise: the order of the samples
        does not matter beyond 1e-12 relative.

    Raises:
        ValueError: no samples, one that does not fit the model, batches whose labels come in
            another order the second time, no batch, an iterator that can be read only once, or
            labels that do not fit the inputs.
        TypeError: labels that are no integers.
    """
    _check_data(samples, data, refresh)
    batches = as_batches(data)
    average, likelihoods = PredictiveAverage(), []
    labels: torch.Tensor | None = None
    with evaluating(model):
        for number, sample in enumerate(samples):
            tensors = _tensors(model, sample, number)
            if refresh is not None:
                refresh_norms(model, tensors, at_least_one("refresh", as_batches(refresh)))
            log_probs, seen = _log_probabilities(model, tensors, batches)
            if labels is not None and not torch.equal(seen, labels):
                raise ValueError(
                    "the batches came in another order for the next sample; "
                    "use a loader with shuffle=False"
                )
            labels = seen
            average.add(log_probs)
            likelihoods.append(log_probs.gather(1, seen[:, None])[:, 0])
    if labels is None:
        where = f" in {str(samples.folder)!r}" if isinstance(samples, Samples) else ""
        raise ValueError(f"no samples came{where}; give at least one state dict")
    return Prediction(
        average.probabilities, torch.stack(likelihoods), labels, average.expected_entropy
    )


def _check_data(samples: object, data: Data, refresh: Data | None) -> None:
    if isinstance(samples, Sized) and len(samples) < 2:
        return  # nothing is read twice
    check_rereadable("data", data)
    if refresh is not None:
        check_rereadable("refresh", refresh)


def _pair(number: int, batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(
            f"batch {number} of data is a {type(batch).__name__}, no pair; write the tuple "
            "(inputs, labels), or batches that are such pairs"
        )
    return batch[0], batch[1]


def _check_labels(number: int, logits: torch.Tensor, labels: torch.Tensor) -> None:
    if labels.is_floating_point() or labels.is_complex():
        raise TypeError(
            f"the labels in batch {number} of data have dtype {labels.dtype}; write integers, the "
            "numbers of the classes: labels.long(), if that is what they are"
        )
    if logits.dim() != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"batch {number} of data has labels of shape {tuple(labels.shape)} for logits of shape "
            f"{tuple(logits.shape)}; write one label, the number of its class, for each input, and "
            "a model that gives (batch, classes)"
        )
    low, high = (int(end) for end in labels.long().aminmax()) if labels.numel() else (0, 0)
    if low < 0 or high >= logits.shape[1]:
        raise ValueError(
            f"batch {number} of data has labels of {low} to {high} for {logits.shape[1]} classes; "
            "write the numbers of classes, from 0"
        )


def _tensors(
    model: torch.nn.Module, sample: Mapping[str, torch.Tensor], number: int
) -> dict[str, torch.Tensor]:
    """The sample's tensors where the model lies and in its dtypes, each tied one once."""
    own = model.state_dict()
    strange = [name for name in sample if name not in own]
    if strange:
        raise ValueError(
            f"sample {number} holds {strange}, which the model lacks: it has {list(own)}; build "
            "the model that the samples were drawn for"
        )
    for name, tensor in sample.items():
        if tensor.shape != own[name].shape:
            raise ValueError(
                f"{name!r} of sample {number} has shape {tuple(tensor.shape)}, in the model "
                f"{tuple(own[name].shape)}; build the model that the samples were drawn for"
            )
    names: dict[int, str] = {}  # of each tensor, the first one that the sample has
    for name, tensor in (
        *model.named_parameters(remove_duplicate=False),
        *model.named_buffers(remove_duplicate=False),
    ):
        if name in sample:
            names.setdefault(id(tensor), name)
    return {name: sample[name].to(own[name]) for name in names.values()}


def _log_probabilities(
    model: torch.nn.Module, tensors: dict[str, torch.Tensor], batches: Batches
) -> tuple[torch.Tensor, torch.Tensor]:
    outputs, labels = [], []
    for number, batch in enumerate(at_least_one("data", batches)):
        inputs, targets = _pair(number, batch)
        logits = torch.func.functional_call(model, tensors, (inputs,))
        _check_labels(number, logits, targets)
        outputs.append(torch.log_softmax(logits.double(), dim=1))
        labels.append(targets)
    return torch.cat(outputs), torch.cat(labels).long()
