"""ResNet-18 on ImageNet in 8-bit block floating point, from a folder of images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from samplers.chains import run_chains
from samplers.predictive import predictive
from samplers.reproductions.cifar_rows import ROWS
from samplers.reproductions.imagenet_data import classes, load_folder
from samplers.reproductions.resnet import ResNet18
from samplers.reproductions.scores import Scores, bars, check_rows, ordered, scores_of
from samplers.reproductions.study import Cell, Outcome, Study, keep_settings
from samplers.spec import ChainSpec
from samplers.store import SampleStore
from samplers.threads import threads

NAMES = ("SGD", "SGLD", "SGLD-bfp-F", "SGLD-bfp-VC", "SGLD-bfp-L", "SGD-bfp-F", "SGD-bfp-L")
ORDER = (("SGLD-bfp-F", "SGD-bfp-F"), ("SGLD-bfp-VC", "SGLD-bfp-L"), ("SGLD-bfp-VC", "SGD-bfp-L"))


@dataclass(frozen=True)
class Settings:
    """Sizes and step sizes of our own: the paper's are not known to us, nor its numbers.

    ``folder`` holds ``train/CLASS/*`` and ``val/CLASS/*``; ``refresh_images`` of the training
    images give batch normalisation's statistics for each sample; ``workers`` threads read files.
    """

    folder: str | None = None
    rows: tuple[str, ...] = NAMES
    width: int = 8
    side: int = 64
    images: int | None = 256
    test_images: int | None = 128
    refresh_images: int = 256
    epochs: int = 2
    sampled_epochs: int = 1
    batch_size: int = 16
    lr: float = 0.1
    temperature: float = 1e-3
    weight_decay: float = 1e-4
    device: str = "cpu"
    workers: int | None = None
    seed: int = 0
    processes: int | None = None


def run(settings: Settings, out: Path) -> Outcome:
    """Train what is left, one chain a row, and score the samples' mean prediction.

    Raises:
        ValueError: no folder of images, no GPU, an unknown row, or a run with other settings in
            ``out``.
    """
    from tqdm import tqdm

    check_rows(settings.rows, NAMES)
    if settings.folder is None:
        raise ValueError(
            "imagenet reads a folder of images that holds train/CLASS/* and val/CLASS/*; name it "
            "with --folder"
        )
    if settings.device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device={settings.device!r}, but torch finds no GPU here; drop --full")
    count = len(load_folder(settings.folder, limit=settings.images))
    keep_settings(settings, out, but=("processes", "workers"))
    specs = {name: spec_of(name, settings, out / name, count) for name in settings.rows}
    run_chains(list(specs.values()), processes=settings.processes)
    scored = {name: _scores(spec, settings) for name, spec in tqdm(specs.items(), desc="scores")}
    rows: list[tuple[Cell, ...]] = [(name, *scores.values()) for name, scores in scored.items()]
    claims = ordered(scored, ORDER) if settings.images is None else []
    note = "one chain a row; the paper's numbers are not known to us"
    return Outcome(("row", "samples", "error %", "NLL", "ECE %"), rows, claims, bars(scored), note)


def step_factor(step: int, steps: int) -> float:
    """Factor of the step size: a tenth after each third of the steps."""
    return 0.1 ** (3 * step // steps)


def spec_of(name: str, settings: Settings, folder: Path, count: int) -> ChainSpec:
    """The chain of a row on ``count`` images."""
    row, epoch = ROWS[name], max(count // settings.batch_size, 1)
    options: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    if row.optimizer != "SGDLP":
        options["temperature"] = settings.temperature
    return ChainSpec(
        folder=folder,
        model="samplers.reproductions.resnet:ResNet18",
        model_options={
            "classes": len(classes(str(settings.folder))),
            "width": settings.width,
            "word_bits": row.activation_bits,
            "large": True,
        },
        data="samplers.reproductions.imagenet_data:load_folder",
        data_options=_data(settings, settings.images),
        steps=epoch * settings.epochs,
        batch_size=settings.batch_size,
        options=options,
        optimizer=row.optimizer,
        precision=row.precision(quantize_norms=True),
        schedule="samplers.reproductions.imagenet:step_factor",
        burn_in=epoch * (settings.epochs - settings.sampled_epochs),
        thinning=epoch,
        seed=settings.seed,
        device=settings.device,
    )


def _data(settings: Settings, limit: int | None) -> dict[str, Any]:
    return {"folder": settings.folder, "side": settings.side, "limit": limit}


def _scores(spec: ChainSpec, settings: Settings) -> Scores:
    """Of the mean prediction, with batch normalisation's statistics anew for each sample."""
    plain: dict[str, Any] = {"augment": False, "workers": settings.workers}
    test = load_folder(**_data(settings, settings.test_images), train=False, **plain)
    train = load_folder(**_data(settings, settings.refresh_images), **plain)
    batches = [data.batches(settings.batch_size, settings.device) for data in (test, train)]
    model = ResNet18(**spec.model_options).to(settings.device)
    store = SampleStore(spec.folder)
    with threads(spec.threads):
        found = predictive(model, store, batches[0], refresh=batches[1])
    return scores_of(found, len(store))


STUDY = Study(
    "ResNet-18 on ImageNet in 8-bit BFP",
    "Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909)",
    Settings(),
    Settings(
        width=64, side=224, images=None, test_images=None, refresh_images=10_000, epochs=90,
        sampled_epochs=20, batch_size=256, device="cuda", processes=1,
    ),
    run,
)  # fmt: skip
