"""SGHMC on the mixture ½·N(-1, ¼) + ½·N(1, ¼), in full and in low precision."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import numformats as nf
from samplers.compare.workers import one_thread
from samplers.precision import Precision
from samplers.reproductions.hmc import hmc_chains
from samplers.reproductions.study import Cell, Claim, Outcome, Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMAT, GAP = nf.FixedPoint(8, 4), 1 / 16
DYNAMICS = {"lr": 0.1, "friction": 3.0, "inverse_mass": 1.0}
SECOND, FOURTH = 1.25, 1 + 6 / 4 + 3 / 16  # moments of the mixture
ARITHMETICS = {
    "float32": Precision(),
    "full": Precision(FORMAT, FORMAT, "full"),
    "low": Precision(FORMAT, FORMAT, "low"),
    "variance_corrected": Precision(FORMAT, FORMAT, "variance_corrected"),
}
COLOURS = ("0.15", "tab:blue", "tab:red", "tab:green")
SIGMAS = 5.0


@dataclass(frozen=True)
class Settings:
    """The second half of the steps counts, one in 20."""

    chains: int = 8000
    steps: int = 2000
    seed: int = 0


class Result(NamedTuple):
    """Moments (value, standard error), share right of 0, distance, and density in the cells."""

    second: tuple[float, float]
    fourth: tuple[float, float]
    right: float
    distance: float
    density: NDArray[np.float64]


def run(settings: Settings, out: Path) -> Outcome:
    """Run every arithmetic; ``out`` is not needed."""
    from tqdm import tqdm

    with one_thread():
        results = {
            name: judge(_states(precision, settings))
            for name, precision in tqdm(ARITHMETICS.items(), desc="mixture", unit="run")
        }
    moments = ("E θ²", "± error", "E θ⁴", "± error ")
    columns = ("accumulator", *moments, "share > 0", "W1")
    target = ("target", SECOND, None, FOURTH, None, 0.5, 0.0)
    rows = [target, *(_row(name, result) for name, result in results.items())]
    note = "W1: Wasserstein distance from the mixture, up to the cells of the grid"
    return Outcome(columns, rows, _claims(results), _plot(results), note)


def gradient(x: torch.Tensor) -> torch.Tensor:
    """∇U = 4·(x - tanh(4x))."""
    return 4 * (x - torch.tanh(4 * x))


def judge(states: torch.Tensor) -> Result:
    """Of independent chains, (kept, chains)."""
    x = states.double().numpy()
    edges = np.arange(-64.0, 66.0) * GAP - GAP / 2
    counts, _ = np.histogram(x, edges)
    missing = np.cumsum(counts) / x.size - distribution(edges[1:])
    moments = [(x**power).mean(0) for power in (2, 4)]
    second, fourth = ((float(m.mean()), float(m.std()) / math.sqrt(len(m))) for m in moments)
    distance = float(np.abs(missing).sum() * GAP)
    right = float(np.heaviside(x, 0.5).mean())  # a grid may hold 0 itself
    return Result(second, fourth, right, distance, counts / (x.size * GAP))


def distribution(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The mixture's distribution function."""
    halves = [[math.erf((place - mean) * math.sqrt(2)) for place in x] for mean in (-1, 1)]
    values: NDArray[np.float64] = 0.5 + 0.25 * np.sum(halves, axis=0)
    return values


def _states(precision: Precision, settings: Settings) -> torch.Tensor:
    start = torch.from_numpy(nf.random.normal((settings.chains,), nf.Key(settings.seed, 2)))
    states = hmc_chains(
        start, gradient, precision, steps=settings.steps, seed=settings.seed, record_every=20,
        **DYNAMICS,
    )  # fmt: skip
    return states[len(states) // 2 :]


def _row(name: str, result: Result) -> tuple[Cell, ...]:
    return (name, *result.second, *result.fourth, result.right, result.distance)


def _claims(results: dict[str, Result]) -> list[Claim]:
    claims = []
    for name in ("full", "variance_corrected"):
        text = f"SGHMC with a {name} accumulator draws the mixture as float32 does"
        held = not _differs(results[name], results["float32"])
        claims.append(Claim(text, held, _compared(name, results)))
    held = _differs(results["low"], results["float32"])
    text = "a low accumulator changes the law, by 5 standard errors of a moment"
    return [*claims, Claim(text, held, _compared("low", results))]


def _differs(one: Result, other: Result) -> bool:
    """Whether a moment differs by more than 5 standard errors."""
    pairs = ((one.second, other.second), (one.fourth, other.fourth))
    return any(abs(a[0] - b[0]) > SIGMAS * math.hypot(a[1], b[1]) for a, b in pairs)


def _compared(name: str, results: dict[str, Result]) -> str:
    own, reference = results[name], results["float32"]
    error = math.hypot(own.second[1], reference.second[1])
    return (
        f"E θ² {own.second[0]:.3f}, float32 {reference.second[0]:.3f}, error of the difference "
        f"{error:.3f}; W1 {own.distance:.4f}, {reference.distance:.4f}"
    )


def _plot(results: dict[str, Result]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    ax = figure.subplots()
    points = np.arange(-64.0, 65.0) * GAP
    edges = np.append(points, points[-1] + GAP) - GAP / 2
    target = np.diff(distribution(edges)) / GAP
    ax.fill_between(points, target, color="0.85", label="½N(-1, ¼) + ½N(1, ¼)")
    for colour, (name, result) in zip(COLOURS, results.items(), strict=True):
        ax.plot(points, result.density, color=colour, linewidth=1.2, label=name)
    ax.set(xlabel="θ", ylabel="density", xlim=(-3, 3), title="SGHMC, η = 0.1, fixed<8,4>")
    figure.legend(loc="outside lower center", ncols=5, frameon=False, fontsize="small")
    return figure


STUDY = Study(
    "SGHMC on two modes, 8-bit fixed point",
    "Wang, Chen, Song, Zhang, TMLR 2024 (arXiv 2310.16320)",
    Settings(),
    Settings(chains=100_000, steps=4000),
    run,
)
