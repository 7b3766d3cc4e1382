"""Everything that decides the outcome of a comparison, as frozen data."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import numformats as nf
from numformats.accelerators.files import ENDINGS
from samplers.cycles import sampling_steps
from samplers.images import DATA_SETS
from samplers.integers import integer
from samplers.precision import parse_format, resolve

DEFAULT_FORMATS = ("fixed<8,5>", "perchannel<8>", "e4m3")
SIMULATIONS = ("exact", "fast")


@dataclass(frozen=True)
class Config:
    """Options of ``samplers compare``.

    Args:
        formats: of weights and gradients, each with every accumulator.
        accelerators: names in ``nf.accelerators()``, or files; the network is trained on them.
        simulation: ``"exact"``: their products bit for bit; ``"fast"``: operands stored as there.
        rows: patterns of row names such as ``"* float32"`` and ``"VC SGLD-L *"``; blank for all.
        steps: optimizer steps of each chain; the samples are kept evenly over the last ``averaged``
            share of them.
        samples: posterior samples that each row averages.
        cycles: of the cyclical row; it samples in the last ``1 - exploration`` of each.
        hidden: widths of the hidden layers; none is logistic regression.
    """

    data: str = "digits"
    formats: tuple[str, ...] = DEFAULT_FORMATS
    accelerators: tuple[str, ...] = ()
    simulation: str = "exact"
    rows: tuple[str, ...] = ()
    chains: int = 3
    steps: int = 3000
    batch_size: int = 64
    lr: float = 0.1
    temperature: float = 0.25
    weight_decay: float = 1e-3
    hidden: tuple[int, ...] = (64,)
    samples: int = 50
    averaged: float = 0.5
    cycles: int = 4
    exploration: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        if self.data not in DATA_SETS:
            raise ValueError(f"data set {self.data!r} is unknown; write one of {DATA_SETS}")
        for name in ("chains", "steps", "batch_size", "samples", "cycles"):
            integer(name, getattr(self, name), 1)
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden={self.hidden}; write positive widths")
        for name in ("lr", "temperature", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}; write a finite number >= 0")
        for name in ("averaged", "exploration"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}; write a share from 0 to 1")
        if not 0 <= self.seed < 1 << 63:
            raise ValueError(f"seed={self.seed}; write an integer from 0 to 2^63 - 1")
        self._check_names()
        if self.cycles > self.steps:
            raise ValueError(
                f"cycles={self.cycles} with steps={self.steps}; write 1 <= cycles <= steps"
            )
        self._check_samples()

    def _check_samples(self) -> None:
        """Rows keep as many samples as they average, the cyclical one too."""
        kept = {
            "a larger averaged": int(self.steps * self.averaged),
            "fewer cycles or a smaller exploration": len(
                sampling_steps(self.steps, self.cycles, self.exploration)
            ),
        }
        remedy, fewest = min(kept.items(), key=lambda pair: pair[1])
        if self.samples > fewest:
            raise ValueError(
                f"samples={self.samples}, but only {fewest} of {self.steps} steps may be kept; "
                f"write more steps, or {remedy}"
            )

    def _check_names(self) -> None:
        for name in ("formats", "accelerators", "rows"):
            texts = getattr(self, name)
            if len(set(texts)) < len(texts):
                raise ValueError(f"{name}={' '.join(texts)!r} has one twice; write each once")
        if self.simulation not in SIMULATIONS:
            raise ValueError(f"simulation={self.simulation!r}; write one of {SIMULATIONS}")
        for text in self.formats:
            _try_format(text)
        labels = [accelerator_label(text) for text in self.accelerators]
        if len(set(labels)) < len(labels):
            raise ValueError(f"accelerators={labels} has one twice; give each a name of its own")

    def to_json(self) -> dict[str, Any]:
        """Plain data, equal after a round trip through JSON."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()
        }


def accelerator_label(text: str) -> str:
    """What tables and plots call an accelerator: its name, also where ``text`` is its file's.

    Raises:
        ValueError: an unknown name, or a file that does not fit.
    """
    chip = nf.accelerator(text)
    return chip.name if text.endswith(ENDINGS) else text


def _try_format(text: str) -> None:
    """Refuse what cannot hold a weight matrix or a bias before anything is trained."""
    fmt = parse_format(text)
    for shape in ((2, 2), (2,)):
        weights = np.full(shape, 0.1, np.float32)
        nf.variance_corrected(weights, 1e-4, resolve(fmt, shape), key=0)
