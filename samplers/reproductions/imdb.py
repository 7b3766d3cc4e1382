"""An LSTM on IMDB reviews in 8-bit block floating point, and its controls."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from numformats.torch import reseed
from samplers.chains import run_chains
from samplers.predictive import predictive
from samplers.reproductions.cifar_rows import ROWS
from samplers.reproductions.imdb_data import PADDING, load_imdb
from samplers.reproductions.resnet import quantizer
from samplers.reproductions.scores import Scores, bars, check_rows, ordered, scores_of
from samplers.reproductions.study import Cell, Outcome, Study, keep_settings
from samplers.spec import ChainSpec
from samplers.store import SampleStore
from samplers.threads import threads

NAMES = (
    "SGD", "SGLD", "SGLD-bfp-F", "SGLD-bfp-VC", "SGLD-bfp-L", "SGD-bfp-F", "SGD-bfp-L",
    "SGHMC", "SGHMC-bfp-F", "SGHMC-bfp-VC", "SGHMC-bfp-L",
)  # fmt: skip
ORDER = (
    ("SGLD-bfp-F", "SGD-bfp-F"), ("SGLD-bfp-VC", "SGLD-bfp-L"), ("SGLD-bfp-VC", "SGD-bfp-L"),
    ("SGHMC-bfp-VC", "SGHMC-bfp-L"),
)  # fmt: skip
STEP, FRICTION = 0.1, 2.0  # of SGHMC, whose inverse mass makes its η·u/γ the others' step size


@dataclass(frozen=True)
class Settings:
    """Sizes and step size of our own: the paper's are not known to us."""

    rows: tuple[str, ...] = NAMES
    reviews: int | None = 4000
    words: int = 5000
    length: int = 60
    width: int = 32
    epochs: int = 10
    samples: int = 20
    batch_size: int = 50
    lr: float = 2.0
    temperature: float = 0.01
    weight_decay: float = 1e-5
    seed: int = 0
    processes: int | None = None


class Classifier(nn.Module):
    """Embedding, LSTM, mean over the words, linear layer.

    With ``word_bits`` the embedded words, the LSTM's outputs and their mean, and the errors that
    come back there, are block floating point with an exponent for each review; inside the LSTM they
    are float32.
    """

    def __init__(self, words: int, width: int, word_bits: int | None = None, seed: int = 0) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, width)
        self.lstm = nn.LSTM(width, width, batch_first=True)
        self.linear = nn.Linear(width, 2)
        self.embedded, self.output = quantizer(word_bits, 3), quantizer(word_bits, 3)
        self.pooled = quantizer(word_bits, 2)
        if word_bits is not None:
            reseed(self, seed)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Logits (n, 2) of tokens (n, length)."""
        states = self.output(self.lstm(self.embedded(self.embedding(tokens)))[0])
        real = (tokens != PADDING).unsqueeze(2)
        mean = (states * real).sum(1) / real.sum(1).clamp(min=1)
        logits: torch.Tensor = self.linear(self.pooled(mean))
        return logits


def run(settings: Settings, out: Path) -> Outcome:
    """Train what is left, one chain a row, and score the samples' mean prediction.

    Raises:
        ValueError: no IMDB, an unknown row, or a run with other settings in ``out``.
    """
    from tqdm import tqdm

    check_rows(settings.rows, NAMES)
    test = load_imdb(train=False, **_sizes(settings))
    keep_settings(settings, out, but=("processes",))
    specs = {name: spec_of(name, settings, out / name, len(test[1])) for name in settings.rows}
    run_chains(list(specs.values()), processes=settings.processes)
    scored = {name: _scores(spec, test) for name, spec in tqdm(specs.items(), desc="scores")}
    columns = ("row", "samples", "error %", "NLL", "ECE %")
    rows: list[tuple[Cell, ...]] = [(name, *scores.values()) for name, scores in scored.items()]
    note = "one chain a row; the paper's numbers are not known to us"
    return Outcome(columns, rows, ordered(scored, ORDER), bars(scored), note)


def spec_of(name: str, settings: Settings, folder: Path, count: int) -> ChainSpec:
    """The chain of a row on ``count`` reviews; the second half of its steps gives the samples."""
    row, steps = ROWS[name], settings.epochs * max(count // settings.batch_size, 1)
    options: dict[str, Any] = {"lr": settings.lr, "weight_decay": settings.weight_decay}
    if row.optimizer != "SGDLP":
        options["temperature"] = settings.temperature
    if row.optimizer == "SGHMC":
        mass = settings.lr * FRICTION / STEP
        options |= {"lr": STEP, "friction": FRICTION, "inverse_mass": mass}
    model = {"words": settings.words, "width": settings.width, "word_bits": row.activation_bits}
    return ChainSpec(
        folder=folder,
        model="samplers.reproductions.imdb:Classifier",
        model_options=model,
        data="samplers.reproductions.imdb_data:load_imdb",
        data_options=_sizes(settings),
        steps=steps,
        batch_size=settings.batch_size,
        options=options,
        optimizer=row.optimizer,
        precision=row.precision(quantize_norms=True),
        burn_in=steps // 2,
        thinning=max(steps // 2 // settings.samples, 1),
        seed=settings.seed,
    )


def _sizes(settings: Settings) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("reviews", "words", "length")}


def _scores(spec: ChainSpec, test: tuple[torch.Tensor, torch.Tensor]) -> Scores:
    store = SampleStore(spec.folder)
    with threads(spec.threads):
        found = predictive(Classifier(**spec.model_options), store, test)
    return scores_of(found, len(store))


STUDY = Study(
    "LSTM on IMDB in 8-bit BFP",
    "Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909)",
    Settings(),
    Settings(reviews=None, words=20_000, length=200, width=128, epochs=30),
    run,
)
