"""MNIST in fixed point with 2 integer bits: logistic regression and an MLP against the number of
fractional bits, for every accumulator of SGLD and SGHMC."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samplers.compare.config import Config
from samplers.compare.folder import ResultFolder
from samplers.compare.job import train_rows
from samplers.compare.rows import FLOAT32, Row
from samplers.images import load_images
from samplers.precision import Precision
from samplers.reproductions.mnist_claims import claims
from samplers.reproductions.mnist_plot import draw
from samplers.reproductions.study import Cell, Outcome, Study, keep_settings
from samplers.sghmc import SGHMC

MODELS = {"logistic": (), "mlp": (100,)}
PRIOR_VARIANCE, TRAINING_IMAGES = 1e-2, 60_000
FRICTION = INVERSE_MASS = 2.0
KINDS = {"F": "full", "VC": "variance_corrected", "L": "low"}
Summary = dict[str, Any]


@dataclass(frozen=True)
class Settings:
    """Sizes and step sizes; SGLD's published ``lr`` is not known to us.

    ``sghmc_lr`` is 0.01 in the paper. The quick run takes 0.1: η·u/γ is then SGLD's ``lr``, and
    both come equally far in few steps.
    """

    frac_bits: tuple[int, ...] = (3, 4, 6, 8)
    models: tuple[str, ...] = tuple(MODELS)
    chains: int = 1
    steps: int = 1500
    batch_size: int = 128
    samples: int = 20
    lr: float = 0.1
    sghmc_lr: float = 0.1
    seed: int = 0
    workers: int | None = None


def run(settings: Settings, out: Path) -> Outcome:
    """Train what ``out`` does not hold yet, one file for each finished chain.

    Raises:
        ValueError: no MNIST, or the chains of other settings in ``out``.
    """
    from tqdm import tqdm

    load_images("mnist")
    keep_settings(settings, out, but=("workers",))
    wanted = rows(settings)
    total = len(settings.models) * len(wanted) * settings.chains
    workers = settings.workers or os.cpu_count() or 1
    results = {
        name: ResultFolder(out / name, config_of(settings, name)) for name in settings.models
    }
    with tqdm(total=total, desc="mnist", unit="chain") as bar:
        found = {
            name: train_rows(wanted, held.config, None, held, workers, lambda _: bar.update())
            for name, held in results.items()
        }
    columns = ("model", "sampler", "format", "error %", "NLL", "single NLL", "ECE %", "deficit %")
    table = [_row(name, summary) for name in found for summary in found[name]]
    note = "means over the chains; single: NLL of one sample; the papers print curves, no numbers"
    return Outcome(columns, table, claims(found), draw(found), note)


def config_of(settings: Settings, model: str) -> Config:
    """The trainer's options: at temperature 1, weight decay 1/(N·variance) is the prior."""
    return Config(
        data="mnist",
        formats=tuple(_format(bits) for bits in settings.frac_bits),
        chains=settings.chains,
        steps=settings.steps,
        batch_size=settings.batch_size,
        lr=settings.lr,
        temperature=1.0,
        weight_decay=1 / (TRAINING_IMAGES * PRIOR_VARIANCE),
        hidden=MODELS[model],
        samples=settings.samples,
        seed=settings.seed,
    )


def rows(settings: Settings) -> list[Row]:
    """Float32 SGLD and SGHMC; for each width all accumulators of both, and SGD as the control."""
    found = [Row("SGLD", FLOAT32, Precision()), _sghmc("SGHMC", FLOAT32, Precision(), settings)]
    for name in map(_format, settings.frac_bits):
        arithmetic = {kind: Precision(name, name, KINDS[kind]) for kind in KINDS}
        found += [Row(f"SGLD {kind}", name, p) for kind, p in arithmetic.items()]
        found += [Row("SGD L", name, arithmetic["L"], noise=False)]
        found += [_sghmc(f"SGHMC {kind}", name, p, settings) for kind, p in arithmetic.items()]
    return found


def _sghmc(sampler: str, fmt: str, precision: Precision, settings: Settings) -> Row:
    options = {"lr": settings.sghmc_lr, "friction": FRICTION, "inverse_mass": INVERSE_MASS}
    return Row(sampler, fmt, precision, kind=SGHMC, options=options)


def _format(frac_bits: int) -> str:
    return f"fixed<{frac_bits + 2},{frac_bits}>"


def _row(model: str, summary: Summary) -> tuple[Cell, ...]:
    mean = summary["mean"]
    scores = (100 * mean["error"], mean["nll"], mean["single_sample_nll"], 100 * mean["ece"])
    return (model, summary["sampler"], summary["format"], *scores, 100 * mean["deficit"])


STUDY = Study(
    "MNIST against the number of fractional bits",
    "Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909); Wang et al., TMLR 2024 (arXiv 2310.16320)",
    Settings(),
    Settings(frac_bits=(2, 3, 4, 5, 6, 8, 10), chains=3, steps=20_000, samples=50, sghmc_lr=0.01),
    run,
)
