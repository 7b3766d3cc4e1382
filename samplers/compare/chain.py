"""Train one chain of one row and score the average of its samples."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from samplers import metrics
from samplers.checks import NonFiniteGradientError
from samplers.compare.config import Config
from samplers.compare.network import build_model
from samplers.compare.rows import Row
from samplers.compare.storing import layer_errors
from samplers.cycles import CosineCycles, sampling_steps
from samplers.images import Images
from samplers.optimizer import Sampler
from samplers.predictive import Prediction, predictive

if TYPE_CHECKING:
    from numformats.torch.simulation.running import Simulation

Sample = dict[str, torch.Tensor]


def run_chain(row: Row, chain: int, config: Config, images: Images) -> dict[str, Any]:
    """Train, keep samples, predict the test set.

    Chains of equal number start from the same weights and see the same batches in every row.

    Returns:
        Scores and counters as plain data. Promise: but for ``seconds``, a function of the
        arguments.

    Raises:
        ValueError: the chain diverged.
    """
    start = time.perf_counter()
    generator = torch.Generator().manual_seed(_stream(config.seed, chain))
    model = build_model(images.train_x.shape[1], config.hidden, generator)
    optimizer = build_optimizer(model, row, chain, config, len(images.train_y))
    chip, idle = _chip(row, chain, config), nullcontext()
    try:
        with (chip if row.trained_on_chip else None) or idle:
            samples = train(model, optimizer, row, config, images, generator)
        diverged = not all(torch.isfinite(p).all() for p in samples[-1].values())
    except NonFiniteGradientError:
        diverged = True
    if diverged:
        raise ValueError(
            f"chain {chain} of {row.name} diverged at lr={row.options.get('lr', config.lr)}; "
            "write a smaller one"
        )
    with chip or idle:
        prediction = predictive(model, samples, (images.test_x, images.test_y))
    outcome = {**scores(prediction), "counters": optimizer.counters()._asdict()}
    if chip is not None:
        outcome["products"] = _products(chip)
    elif row.precision.weight is None:
        outcome["layers"] = layer_errors(samples[-1], config.formats, config.accelerators)
    return {**outcome, "seconds": time.perf_counter() - start}


def _chip(row: Row, chain: int, config: Config) -> Simulation | None:
    """The simulation of the row's accelerator: it is entered for training, and for predictions."""
    if row.accelerator is None:
        return None
    from numformats.torch import simulate

    return simulate(row.accelerator, mode=config.simulation, seed=_stream(config.seed, chain))


def _products(chip: Simulation) -> dict[str, Any]:
    """How many products were computed as the chip does, and how many not, for what reasons."""
    report = chip.report()
    left: dict[str, int] = {}
    for line in report.full_precision:
        reason = f"{line['direction']} {line['op']}: {line['reason']}"
        left[reason] = left.get(reason, 0) + line["count"]
    simulated = sum(line["count"] for line in report.simulated)
    return {"simulated": simulated, "full_precision": left}


def build_optimizer(
    model: torch.nn.Module, row: Row, chain: int, config: Config, num_data: int
) -> Sampler:
    """The optimizer of a row."""
    options: dict[str, Any] = {"lr": config.lr, **row.options}
    return row.kind(
        model.named_parameters(),
        num_data=num_data,
        temperature=config.temperature if row.noise else 0.0,
        weight_decay=config.weight_decay,
        precision=row.precision,
        seed=config.seed,
        chain=chain,
        **options,
    )


def train(
    model: torch.nn.Module,
    optimizer: Sampler,
    row: Row,
    config: Config,
    images: Images,
    generator: torch.Generator,
) -> list[Sample]:
    """Run the steps on batches drawn with replacement: their noise is independent over steps."""
    cycles = (
        CosineCycles(optimizer, config.steps, config.cycles, config.exploration)
        if row.cyclical
        else None
    )
    kept, samples = kept_steps(row, config), []
    for step in range(config.steps):
        batch = torch.randint(len(images.train_y), (config.batch_size,), generator=generator)
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            model(images.train_x[batch]), images.train_y[batch]
        )
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step in kept:
            samples.append({name: p.detach().clone() for name, p in model.named_parameters()})
        if cycles is not None:
            cycles.step()
    return samples


def kept_steps(row: Row, config: Config) -> set[int]:
    """The steps whose weights are averaged, evenly spread over those that may be kept."""
    if row.cyclical:
        allowed = sampling_steps(config.steps, config.cycles, config.exploration)
    else:
        allowed = list(range(config.steps - int(config.averaged * config.steps), config.steps))
    picks = np.linspace(0, len(allowed), config.samples + 1)[1:].astype(int) - 1
    return {allowed[i] for i in picks}


def scores(prediction: Prediction) -> dict[str, Any]:
    """Error, NLL, ECE and Brier of the averaged prediction, beside the single samples' mean NLL."""
    p, y = prediction.probabilities, prediction.labels
    return {
        "error": metrics.error(p, y),
        "nll": metrics.nll(p, y),
        "ece": metrics.ece(p, y),
        "ece_papers_bins": metrics.ece(p, y, metrics.papers_edges()),
        "brier": metrics.brier(p, y),
        "single_sample_nll": float(-prediction.log_likelihoods.mean()),
        "samples": len(prediction.log_likelihoods),
        "reliability": {k: v.tolist() for k, v in metrics.reliability(p, y)._asdict().items()},
    }


def _stream(seed: int, chain: int) -> int:
    return int(np.random.SeedSequence([seed, chain]).generate_state(1, np.uint64)[0] >> 1)
