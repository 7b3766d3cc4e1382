"""Run a chain from its specification to its folder, or go on where it was stopped."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch

from samplers.run_folder import (
    keep_spec,
    load_checkpoint,
    only_writer,
    reading_checkpoint,
    refuse_other_spec,
    save_checkpoint,
)
from samplers.spec import ChainSpec
from samplers.spec_checks import check_device
from samplers.store import SampleStore
from samplers.threads import threads
from samplers.training import Training

logger = logging.getLogger(__name__)


def run_chain(spec: ChainSpec, *, progress: Callable[[int], None] | None = None) -> Path:
    """Run a chain, or the rest of it; its samples are then in ``SampleStore(spec.folder)``.

    Args:
        spec: what to run; chains that differ in ``chain`` alone share a folder.
        progress: called with the number of steps done, at the start and after each step.

    Returns:
        The folder. Promise: a chain that was killed at any moment, at any number of times, gives
        the samples and the state of the undisturbed one bit for bit, on the same software, device
        and number of threads; a finished chain is left as it is.

    Raises:
        ValueError, TypeError: names or options that make no sense, a device that is not there, or
            another specification in the folder, before anything is written.
        ValueError: a loss that is no finite number; a damaged checkpoint or store.
        RuntimeError: another process runs this chain.
    """
    folder = Path(spec.folder)
    check_device(spec.device)
    refuse_other_spec(spec)
    store = SampleStore(folder)  # refuses a folder that holds something else
    cuda = [torch.device(spec.device)] if spec.device.startswith("cuda") else []
    with threads(spec.threads), torch.random.fork_rng(cuda):
        if _finished(spec):
            if progress is not None:
                progress(spec.steps)
            return folder
        training = Training(spec)
        store.prepare()
        keep_spec(spec)
        with only_writer(spec):
            _run(training, SampleStore(folder, training.formats()), progress)
    return folder


def _finished(spec: ChainSpec) -> bool:
    state = load_checkpoint(spec)
    if state is None or state["done"] < spec.steps:
        return False
    # the index is read after the checkpoint: another process may have ended the chain just now
    _check_samples(spec, SampleStore(spec.folder), state["samples"], state["done"])
    return True


def _run(training: Training, store: SampleStore, progress: Callable[[int], None] | None) -> None:
    spec = training.spec
    kept = _resume(training, store)
    if progress is not None:
        progress(training.done)
    while training.done < spec.steps:
        if training.step():
            store.append(training.sample(), chain=spec.chain, step=training.done)
            kept += 1
        if training.done % spec.checkpoint_every == 0 or training.done == spec.steps:
            save_checkpoint(spec, {**training.state_dict(), "samples": kept})
        if progress is not None:
            progress(training.done)


def _resume(training: Training, store: SampleStore) -> int:
    """Load the last checkpoint and forget the samples after it, which come again."""
    spec = training.spec
    state = load_checkpoint(spec)
    if state is None:
        store.forget_after(0, chain=spec.chain)
        logger.info("chain %d of %s begins", spec.chain, spec.folder)
        return 0
    with reading_checkpoint(spec):
        training.load_state_dict(state)
    store.forget_after(training.done, chain=spec.chain)
    _check_samples(spec, store, state["samples"], training.done)
    logger.info("chain %d of %s goes on at step %d", spec.chain, spec.folder, training.done)
    return int(state["samples"])


def _check_samples(spec: ChainSpec, store: SampleStore, wanted: int, done: int) -> None:
    found = len(store.chain(spec.chain))
    if found != wanted:
        raise ValueError(
            f"chain {spec.chain} of {spec.folder!r} kept {wanted} samples in {done} steps, but its "
            f"index names {found}; restore the index, or remove the chain's folder to begin anew"
        )
