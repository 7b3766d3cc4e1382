"""The rows of the comparison: which sampler, in which precision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from samplers.compare.config import Config
from samplers.optimizer import Sampler
from samplers.precision import Precision
from samplers.sgld import SGLD

FLOAT32 = "float32"


@dataclass(frozen=True)
class Row:
    """One way to train: sampler and format by name, and what they mean for the optimizer.

    ``options`` of the optimizer ``kind`` go before the comparison's own.
    """

    sampler: str
    format: str
    precision: Precision
    noise: bool = True
    cyclical: bool = False
    kind: Callable[..., Sampler] = SGLD
    options: Mapping[str, float] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Sampler and format, for people."""
        return f"{self.sampler} {self.format}"

    @property
    def slug(self) -> str:
        """Sampler and format, for file names."""
        return "".join(c if c.isalnum() else "-" for c in self.name.lower()).strip("-")


def rows(config: Config) -> list[Row]:
    """Float32 SGD, SGLD and cSGLD, then four rows for each format, all with averaging."""
    full = Precision()
    base = [
        Row("SGD", FLOAT32, full, noise=False),
        Row("SGLD", FLOAT32, full),
        Row("cSGLD", FLOAT32, full, cyclical=True),
    ]
    return base + [row for name in config.formats for row in _format_rows(name)]


def _format_rows(name: str) -> list[Row]:
    def precision(accumulator: str) -> Precision:
        return Precision(name, name, accumulator)

    return [
        Row("SGLD-F", name, precision("full")),
        Row("VC SGLD-L", name, precision("variance_corrected")),
        Row("SGLD-L", name, precision("low")),
        Row("SGD-L", name, precision("low"), noise=False),
    ]
