"""The Gaussian toy: stationary standard deviations against the step size, and closed forms."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import numformats as nf
from samplers.compare.workers import one_thread
from samplers.precision import Precision
from samplers.reproductions.closed_forms import sghmc_variance, sgld_variance
from samplers.reproductions.gaussian_plot import ACCUMULATORS, PUBLISHED_STEP, Case, draw
from samplers.reproductions.hmc import hmc_chains
from samplers.reproductions.study import Cell, Claim, Outcome, Study
from samplers.toy import GRADIENT_NOISE, toy_chains

SGLD_FORMAT, SGHMC_FORMAT = nf.FixedPoint(8, 3), nf.FixedPoint(8, 4)
FRICTION, INVERSE_MASS = 3.0, 2.0
REPORTED = {("SGLD", "low", 2e-3): 1.30, ("SGLD", "variance_corrected", 2e-3): 1.00}
SIGMAS = 5.0


@dataclass(frozen=True)
class Settings:
    """``sgld_steps`` and ``sghmc_steps`` are step sizes; a chain runs ``times`` relaxation times,
    and its second half counts."""

    chains: int = 4000
    times: float = 6.0
    sgld_steps: tuple[float, ...] = (2e-2, 5e-3, 2e-3, 1e-3)
    sghmc_steps: tuple[float, ...] = (0.36, 0.18, 0.09, 0.045, 0.02)
    seed: int = 0


class Spread(NamedTuple):
    """A standard deviation and its standard error over independent chains."""

    std: float
    error: float


def run(settings: Settings, out: Path) -> Outcome:
    """Run every sampler at every step size; ``out`` is not needed."""
    from tqdm import tqdm

    asked: list[tuple[str, str, float]]
    asked = [("SGLD", a, lr) for a in ACCUMULATORS for lr in settings.sgld_steps]
    asked += [("SGHMC", a, lr) for a in ACCUMULATORS for lr in settings.sghmc_steps]
    with one_thread():
        cases = [_case(settings, *what) for what in tqdm(asked, desc="gaussian", unit="run")]
    note = (
        "sd of θ under U = θ²/2 (target 1); z: found less closed form, in errors;\n"
        "reported: by an independent implementation (the paper prints densities alone)"
    )
    scores = ("sd found", "± error", "sd closed", "z", "reported")
    columns = ("sampler", "accumulator", "step", *scores)
    return Outcome(columns, [_row(case) for case in cases], _claims(cases), draw(cases), note)


def spread(states: torch.Tensor) -> Spread:
    """Of independent chains, (kept, chains), around the known mean 0."""
    squares = (states.double() ** 2).mean(0)
    variance = float(squares.mean())
    error = float(squares.std()) / math.sqrt(len(squares))
    return Spread(math.sqrt(variance), error / (2 * math.sqrt(variance)))


def _case(settings: Settings, sampler: str, accumulator: str, lr: float) -> Case:
    start = torch.from_numpy(nf.random.normal((settings.chains,), nf.Key(settings.seed, 2)))
    rate = lr if sampler == "SGLD" else lr * INVERSE_MASS / FRICTION
    steps = math.ceil(settings.times / rate)
    every, fmt = max(steps // 40, 1), SGLD_FORMAT if sampler == "SGLD" else SGHMC_FORMAT
    precision, gap = Precision(fmt, fmt, accumulator), 2.0**-fmt.frac_bits
    if sampler == "SGLD":
        closed = sgld_variance(accumulator, lr, gap=gap, gradient_noise=GRADIENT_NOISE)
        states = toy_chains(
            start, precision, lr=lr, steps=steps, seed=settings.seed, record_every=every
        )
    else:
        dynamics = {"friction": FRICTION, "inverse_mass": INVERSE_MASS}
        closed = sghmc_variance(accumulator, lr, gap=gap, **dynamics)
        states = hmc_chains(
            start, lambda x: x.clone(), precision, lr=lr, steps=steps, seed=settings.seed,
            record_every=every, **dynamics,
        )  # fmt: skip
    kept = states[len(states) // 2 :]
    return Case(sampler, accumulator, lr, *spread(kept), math.sqrt(closed), _density(kept, gap))


def _density(states: torch.Tensor, gap: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points of the grid in [-4, 4], and the density in the cells around them."""
    points = np.arange(-round(4 / gap), round(4 / gap) + 1).astype(np.float64) * gap
    edges = np.append(points - gap / 2, points[-1] + gap / 2)
    counts, _ = np.histogram(states.numpy(), edges)
    return points, counts / (states.numel() * gap)


def _row(case: Case) -> tuple[Cell, ...]:
    reported = REPORTED.get((case.sampler, case.accumulator, case.lr))
    z = (case.std - case.closed) / case.error
    head = (case.sampler, case.accumulator, case.lr)
    return (*head, case.std, case.error, case.closed, round(z, 2), reported)


def _claims(cases: list[Case]) -> list[Claim]:
    sgld, sghmc = ([c for c in cases if c.sampler == name] for name in ("SGLD", "SGHMC"))
    published = min({c.lr for c in sghmc}, key=lambda lr: abs(lr - PUBLISHED_STEP["SGHMC"]))
    near = [
        _near_one([c for c in sgld if c.accumulator == a], f"a {a} accumulator")
        for a in ("full", "variance_corrected")
    ]
    every = _near_one(
        [c for c in sghmc if c.lr == published], f"any accumulator, step {published:g},"
    )
    return [_widening(sgld), *near, every, _closed(sgld), _closed(sghmc)]


def _widening(cases: list[Case]) -> Claim:
    naive = sorted((c for c in cases if c.accumulator == "low"), key=lambda c: c.lr)
    small, large = naive[0], naive[-1]
    held = small.std - large.std > SIGMAS * math.hypot(small.error, large.error)
    why = f"sd {large.std:.3f} at step {large.lr:g}, {small.std:.3f} at {small.lr:g}"
    return Claim("SGLD with a low accumulator widens as the step shrinks", held, why)


def _near_one(cases: list[Case], which: str) -> Claim:
    worst = max(cases, key=lambda c: abs(c.std - 1))
    held = abs(worst.std - 1) < 0.02 + 2 * worst.error
    text = f"{worst.sampler} with {which} keeps the sd within 2 % of 1"
    why = f"farthest: {worst.std:.3f} ± {worst.error:.3f}, {worst.accumulator} at {worst.lr:g}"
    return Claim(text, held, why)


def _closed(cases: list[Case]) -> Claim:
    worst = max(cases, key=lambda c: abs(c.std - c.closed) / c.error)
    z = abs(worst.std - worst.closed) / worst.error
    text = f"{worst.sampler}: every sd within {SIGMAS:g} standard errors of its closed form"
    why = f"farthest: {z:.1f}, {worst.accumulator} at step {worst.lr:g}"
    return Claim(text, z < SIGMAS, why)


STUDY = Study(
    "Gaussian toy, 8-bit fixed point",
    "Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909); Wang et al., TMLR 2024 (arXiv 2310.16320)",
    Settings(),
    Settings(chains=20_000, sgld_steps=(2e-2, 1e-2, 5e-3, 2e-3, 1e-3, 5e-4, 1e-4)),
    run,
)
