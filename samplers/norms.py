"""Statistics of batch normalisation for the weights of one sample."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, MutableMapping

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from samplers.batches import Batches, at_least_one

COUNT = "num_batches_tracked"


def refresh_norms(
    model: torch.nn.Module, tensors: MutableMapping[str, torch.Tensor], batches: Batches
) -> None:
    """Replace the running means and variances in ``tensors`` by those of its own weights.

    The statistics that training left belong to an average over many past weights. Here they are set
    back and become the plain mean over ``batches`` of each batch's mean and variance, while
    all other layers are in eval mode, dropout too.

    Args:
        model: its mode and buffers come back as they were.
        tensors: parameters and buffers of the model, by name; changed.
        batches: of inputs and anything, training data as a rule.

    Raises:
        ValueError: no batch; ``tensors`` stays as it was.

    Reference: Izmailov et al., UAI 2018 (arXiv 1803.05407); ``torch.optim.swa_utils.
    update_bn`` does so with all layers in train mode.
    """
    with _only_norms_training(model) as names:
        fresh = {
            f"{name}{buffer}": torch.full_like(model.get_buffer(f"{name}{buffer}"), value)
            for name in names
            for buffer, value in (("running_mean", 0), ("running_var", 1), (COUNT, 0))
        }
        for batch in at_least_one("batches", batches) if names else ():
            torch.func.functional_call(model, {**tensors, **fresh}, (batch[0],))
        tensors.update(fresh)


@contextlib.contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Inside the context every layer is in eval mode."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


@contextlib.contextmanager
def _only_norms_training(model: torch.nn.Module) -> Iterator[list[str]]:
    norms = {
        f"{name}." if name else "": module
        for name, module in model.named_modules()
        if isinstance(module, _BatchNorm) and module.track_running_stats
    }
    momenta = [(norm, norm.momentum) for norm in norms.values()]
    with evaluating(model):
        for norm in norms.values():
            norm.training, norm.momentum = True, None
        try:
            yield list(norms)
        finally:
            for norm, momentum in momenta:
                norm.momentum = momentum
