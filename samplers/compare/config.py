"""Everything that decides the outcome of a comparison, as frozen data."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import numformats as nf
from samplers.images import DATA_SETS
from samplers.precision import parse_format, resolve

DEFAULT_FORMATS = ("fixed<8,5>", "perchannel<8>", "e4m3")


@dataclass(frozen=True)
class Config:
    """Options of ``samplers compare``.

    Args:
        steps: optimizer steps of each chain; the samples are kept evenly over the last ``averaged``
            share of them.
        samples: posterior samples that each row averages.
        cycles: of the cyclical row; it samples in the last ``1 - exploration`` of each.
        hidden: widths of the hidden layers; none is logistic regression.
    """

    data: str = "digits"
    formats: tuple[str, ...] = DEFAULT_FORMATS
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
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}; write at least 1")
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden={self.hidden}; write positive widths")
        for name in ("lr", "temperature", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}={getattr(self, name)}; write a finite number >= 0")
        if len(set(self.formats)) < len(self.formats):
            raise ValueError(f"formats={' '.join(self.formats)!r} has one twice; write each once")
        for text in self.formats:
            _try_format(text)
        kept = int(self.steps * min(self.averaged, 1 - self.exploration))
        if self.samples > kept:
            raise ValueError(
                f"samples={self.samples}, but only {kept} of {self.steps} steps may be "
                "kept; write more steps"
            )

    def to_json(self) -> dict[str, Any]:
        """Plain data, equal after a round trip through JSON."""
        return {
            k: list(v) if isinstance(v, tuple) else v for k, v in dataclasses.asdict(self).items()
        }


def _try_format(text: str) -> None:
    """Refuse what cannot hold a weight matrix or a bias before anything is trained."""
    fmt = parse_format(text)
    for shape in ((2, 2), (2,)):
        weights = np.full(shape, 0.1, np.float32)
        nf.variance_corrected(weights, 1e-4, resolve(fmt, shape), key=0)
