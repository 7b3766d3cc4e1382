"""ResNet-18 on CIFAR in 8 bits: the papers' samplers and arithmetics, and their controls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from samplers.chains import run_chains
from samplers.predictive import predictive
from samplers.reproductions.cifar_data import CLASSES, load_cifar
from samplers.reproductions.cifar_rows import PUBLISHED, ROWS, Row
from samplers.reproductions.resnet import ResNet18
from samplers.reproductions.scores import Scores, check_rows, scores_of
from samplers.reproductions.study import Cell, Claim, Outcome, Study, keep_settings
from samplers.spec import ChainSpec
from samplers.store import SampleStore
from samplers.threads import threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLED_SHARE = 5 / 35  # of a cycle
SGHMC_OPTIONS = {"lr": 0.1, "friction": 2.0, "inverse_mass": 2.0}


@dataclass(frozen=True)
class Settings:
    """Sizes; all but the reduced ones are the papers'.

    ``quantize_norms`` False keeps the parameters of batch normalisation in float32: fixed<8,8>
    clips their initial 1 to 0.496. ``rows`` are names of `ROWS`.
    """

    data: str = "cifar10"
    rows: tuple[str, ...] = tuple(ROWS)
    width: int = 8
    images: int | None = 512
    test_images: int | None = 500
    epochs: int = 4
    sampled_epochs: int = 2
    cycles: int = 2
    batch_size: int = 64
    quantize_norms: bool = True
    device: str = "cpu"
    seed: int = 0
    processes: int | None = None


def run(settings: Settings, out: Path) -> Outcome:
    """Train what is left, one chain a row, and score the samples' mean prediction.

    Raises:
        ValueError: no CIFAR, no GPU, an unknown row, or a run with other settings in ``out``.
    """
    from tqdm import tqdm

    check_rows(settings.rows, ROWS)
    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(
            f"device={settings.device!r}, but torch finds no GPU here; run it where there is one, "
            'or give the settings device="cpu"'
        )
    count = len(load_cifar(settings.data, limit=settings.images))
    keep_settings(settings, out, but=("processes",))
    specs = {name: spec_of(ROWS[name], settings, out / name, count) for name in settings.rows}
    run_chains(list(specs.values()), processes=settings.processes)
    scored = {name: _scores(spec, settings) for name, spec in tqdm(specs.items(), desc="scores")}
    columns = ("row", "samples", "error %", "ECE %", "NLL", "error % published", "ECE % published")
    rows = [_row(name, scores, settings.data) for name, scores in scored.items()]
    reduced = "reduced size: not comparable" if settings.images is not None else "full size"
    return Outcome(columns, rows, _claims(scored, settings), _plot(scored, settings.data), reduced)


def step_factor(step: int, steps: int) -> float:
    """Factor of the step size: 1 in the first half, linear to 0.01 at 90 %, then 0.01."""
    t = step / steps
    return 1 - 0.99 * min(max((t - 0.5) / 0.4, 0), 1)


def spec_of(row: Row, settings: Settings, folder: Path, count: int) -> ChainSpec:
    """The chain of a row on ``count`` images."""
    epoch = max(count // settings.batch_size, 1)
    options: dict[str, Any] = {"lr": 0.5, "weight_decay": 5e-4}
    if row.optimizer == "SGHMC":
        options |= SGHMC_OPTIONS
    if row.optimizer != "SGDLP":
        options["temperature"] = 1e-3
    exploration = {"cycles": settings.cycles, "exploration": 1 - SAMPLED_SHARE}
    plain = {
        "schedule": "samplers.reproductions.cifar:step_factor",
        "burn_in": epoch * (settings.epochs - settings.sampled_epochs),
    }
    return ChainSpec(
        folder=folder,
        model="samplers.reproductions.resnet:ResNet18",
        model_options=_model_options(row, settings),
        data="samplers.reproductions.cifar_data:load_cifar",
        data_options={"name": settings.data, "limit": settings.images},
        steps=epoch * settings.epochs,
        batch_size=settings.batch_size,
        options=options,
        optimizer=row.optimizer,
        precision=row.precision(settings.quantize_norms),
        thinning=epoch,
        seed=settings.seed,
        device=settings.device,
        **(exploration if row.cyclical else plain),
    )


def _model_options(row: Row, settings: Settings) -> dict[str, Any]:
    classes = CLASSES[settings.data]
    return {"classes": classes, "width": settings.width, "word_bits": row.activation_bits}


def _scores(spec: ChainSpec, settings: Settings) -> Scores:
    """Of the mean prediction, with batch normalisation's statistics anew for each sample."""
    test = load_cifar(settings.data, train=False, limit=settings.test_images, augment=False)
    train = load_cifar(settings.data, limit=settings.images, augment=False)
    batches = [data.batches(settings.batch_size, settings.device) for data in (test, train)]
    model = ResNet18(**spec.model_options).to(settings.device)
    store = SampleStore(spec.folder)
    with threads(spec.threads):
        found = predictive(model, store, batches[0], refresh=batches[1])
    return scores_of(found, len(store))


def _row(name: str, scores: Scores, data: str) -> tuple[Cell, ...]:
    error, ece = PUBLISHED[data].get(name, (None, None))
    return (name, scores["samples"], scores["error"], scores["ece"], scores["nll"], error, ece)


def _claims(scored: dict[str, dict[str, float]], settings: Settings) -> list[Claim]:
    """The papers' order of errors, judged at full size alone."""
    if settings.images is not None:
        return []
    claims = []
    for better, worse in (
        ("SGLD-fixed-F", "SGD-fixed-F"), ("SGLD-fixed-VC", "SGLD-fixed-L"),
        ("SGLD-fixed-VC", "SGD-fixed-L"), ("SGLD-bfp-VC", "SGLD-bfp-L"),
        ("SGLD-bfp-VC", "SGD-bfp-L"),
    ):  # fmt: skip
        if better in scored and worse in scored:
            errors = scored[better]["error"], scored[worse]["error"]
            why = f"{errors[0]:.2f} %, {errors[1]:.2f} %"
            claims.append(Claim(f"{better} errs less than {worse}", errors[0] < errors[1], why))
    return claims


def _plot(scored: dict[str, dict[str, float]], data: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.6), layout="constrained")
    names = list(scored)
    for ax, score, column in zip(figure.subplots(1, 2), ("error", "ece"), (0, 1), strict=True):
        ax.barh(names, [scored[name][score] for name in names], color="0.75", label="found")
        published = {n: PUBLISHED[data][n][column] for n in names if n in PUBLISHED[data]}
        ax.plot(list(published.values()), list(published), "k|", markersize=12, label="published")
        ax.set_xlabel({"error": "test error (%)", "ece": "ECE (%)"}[score])
        ax.invert_yaxis()
    ax.legend(frameon=False)
    return figure


WHOLE = Settings(
    width=64, images=None, test_images=None, epochs=245, sampled_epochs=50, cycles=7,
    batch_size=128, device="cuda", processes=1,
)  # fmt: skip
STUDY = Study(
    "ResNet-18 on CIFAR in 8 bits",
    "Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909); Wang et al., TMLR 2024 (arXiv 2310.16320)",
    Settings(),
    WHOLE,
    run,
)
