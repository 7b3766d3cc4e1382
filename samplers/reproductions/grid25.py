"""25 Gaussians on a grid: cyclical SGLD finds all of them, SGLD with decaying steps few."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import numformats as nf
from samplers.compare.workers import one_thread
from samplers.cycles import CosineCycles
from samplers.reproductions.study import Cell, Claim, Outcome, Study
from samplers.sgld import SGLD

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEANS = np.array([(x, y) for x in range(-4, 5, 2) for y in range(-4, 5, 2)], np.float32)
VARIANCE = 0.03
CYCLIC_STEP, DECAYING_STEP = 0.07, 0.043
DROPPED, SHOWN = 50, 20  # first steps of a cycle that are not kept; one in so many is plotted
PUBLISHED = {"cSGLD": "25", "SGLD": "few"}


@dataclass(frozen=True)
class Settings:
    """Independent chains side by side, each of the paper's length."""

    chains: int = 16
    steps: int = 50_000
    cycles: int = 30
    seed: int = 1


class Visits(NamedTuple):
    """Kept steps at each mode, (chains, 25), and places of the first chain, (n, 2)."""

    counts: NDArray[np.int64]
    places: NDArray[np.float32]


def run(settings: Settings, out: Path) -> Outcome:
    """Run both samplers; ``out`` is not needed."""
    with one_thread():
        found = {"cSGLD": cyclical(settings), "SGLD": decaying(settings)}
    modes = ("fewest modes", "median", "most")
    columns = ("sampler", *modes, "TV median", "TV largest", "published")
    rows = [_row(name, visits) for name, visits in found.items()]
    note = (
        f"modes of 25 that each of {settings.chains} chains kept a sample of; TV: total variation"
    )
    return Outcome(columns, rows, _claims(found), _plot(found), f"{note} from equal shares")


def slope(theta: NDArray[np.float32]) -> NDArray[np.float32]:
    """∇U of -log Σ exp(-‖θ - μ‖²/(2·0.03)), (chains, 2)."""
    gaps = theta[:, None, :] - MEANS
    logits = (gaps**2).sum(-1) / (-2 * VARIANCE)
    shares = np.exp(logits - logits.max(1, keepdims=True))
    shares /= shares.sum(1, keepdims=True)
    found: NDArray[np.float32] = (shares[:, :, None] * gaps).sum(1) / np.float32(VARIANCE)
    return found


def cyclical(settings: Settings) -> Visits:
    """By cSGLD without an exploration stage, the first 50 steps of each cycle dropped."""
    optimizer = _optimizer(settings, CYCLIC_STEP)
    cycles = CosineCycles(optimizer, settings.steps, settings.cycles, exploration=0.0)

    def keeps() -> Iterator[bool]:
        for _ in range(settings.steps):
            yield cycles.position >= DROPPED
            cycles.step()

    return _walk(optimizer, keeps(), settings, "cSGLD")


def decaying(settings: Settings) -> Visits:
    """By SGLD at 0.043, from step 501 on at 0.043·(t - 500)^-0.55."""
    optimizer = _optimizer(settings, DECAYING_STEP)

    def keeps() -> Iterator[bool]:
        for step in range(1, settings.steps + 1):
            factor = max(step - 500, 1) ** -0.55
            optimizer.param_groups[0].update(lr=DECAYING_STEP * factor, temperature=1.0)
            yield True

    return _walk(optimizer, keeps(), settings, "SGLD")


def _optimizer(settings: Settings, lr: float) -> SGLD:
    weight = torch.nn.Parameter(torch.zeros(settings.chains, 2))
    return SGLD([weight], lr, num_data=1, seed=settings.seed)


def _walk(optimizer: SGLD, keeps: Iterator[bool], settings: Settings, name: str) -> Visits:
    """Steps on gradients with the noise N(0, I), which counts as part of the injected noise."""
    from tqdm import tqdm

    group = optimizer.param_groups[0]
    weight, places = group["params"][0], []
    counts = np.zeros((settings.chains, len(MEANS)), np.int64)
    key = nf.Key(settings.seed, 1)
    for step, kept in enumerate(tqdm(keeps, desc=name, total=settings.steps, mininterval=1)):
        group["temperature"] *= 1 - group["lr"] / 2
        noise = nf.random.normal(tuple(weight.shape), key.fold(step))
        weight.grad = torch.from_numpy(slope(weight.detach().numpy()) + noise)
        optimizer.step()
        if kept:
            _count(weight.detach().numpy(), counts)
        if kept and step % SHOWN == 0:
            places.append(weight.detach().numpy()[0].copy())
    return Visits(counts, np.array(places))


def _count(theta: NDArray[np.float32], counts: NDArray[np.int64]) -> None:
    """One more visit of the mode within three standard deviations of each chain, if any."""
    squares = ((theta[:, None, :] - MEANS) ** 2).sum(-1)
    inside = squares.min(1) < 9 * VARIANCE
    counts[np.arange(len(theta))[inside], squares.argmin(1)[inside]] += 1


def _row(name: str, visits: Visits) -> tuple[Cell, ...]:
    modes = (visits.counts > 0).sum(1)
    shares = visits.counts / np.maximum(visits.counts.sum(1, keepdims=True), 1)
    distance = np.abs(shares - 1 / len(MEANS)).sum(1) / 2
    spread = (float(modes.min()), float(np.median(modes)), float(modes.max()))
    return (name, *spread, float(np.median(distance)), float(distance.max()), PUBLISHED[name])


def _claims(found: dict[str, Visits]) -> list[Claim]:
    cyclic, plain = ((found[name].counts > 0).sum(1) for name in ("cSGLD", "SGLD"))
    all_of_them = f"fewest {cyclic.min()} of {len(MEANS)} over {len(cyclic)} chains"
    few = f"{plain.min()} to {plain.max()} over {len(plain)} chains"
    return [
        Claim("cyclical SGLD finds all 25 modes", bool(cyclic.min() == len(MEANS)), all_of_them),
        Claim("SGLD with decaying steps finds few (8 at most)", bool(plain.max() <= 8), few),
    ]


def _plot(found: dict[str, Visits]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    for ax, (name, visits) in zip(figure.subplots(1, 2), found.items(), strict=True):
        ax.scatter(*MEANS.T, s=260, facecolors="none", edgecolors="0.7", linewidths=1)
        ax.scatter(*visits.places.T, s=2, alpha=0.5, color="tab:purple", linewidths=0)
        modes = int((visits.counts[0] > 0).sum())
        ax.set(title=f"{name}: first chain, {modes} modes", xlim=(-5, 5), ylim=(-5, 5))
        ax.set_aspect("equal")
    return figure


STUDY = Study(
    "25 Gaussians",
    "Zhang, Li, Zhang, Chen, Wilson, ICLR 2020 (arXiv 1902.03932), section 5.1",
    Settings(),
    Settings(chains=256),
    run,
)
