"""The rows of the comparison: which sampler, in which precision, on which accelerator."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from samplers.compare.config import Config, accelerator_label
from samplers.optimizer import Sampler
from samplers.precision import Precision
from samplers.sgld import SGLD

FLOAT32 = "float32"


@dataclass(frozen=True)
class Row:
    """One way to train: sampler and format by name, and what they mean for the optimizer.

    ``options`` of the optimizer ``kind`` go before the comparison's own. On an ``accelerator`` the
    products of predictions, and of training where ``trained_on_chip``, are simulated.
    """

    sampler: str
    format: str
    precision: Precision
    noise: bool = True
    cyclical: bool = False
    kind: Callable[..., Sampler] = SGLD
    options: Mapping[str, float] = field(default_factory=dict)
    accelerator: str | None = None
    trained_on_chip: bool = True

    @property
    def name(self) -> str:
        """Sampler and format, for people."""
        return f"{self.sampler} {self.format}"

    @property
    def slug(self) -> str:
        """Sampler and format, for file names."""
        return "".join(c if c.isalnum() else "-" for c in self.name.lower()).strip("-")

    @property
    def arithmetic(self) -> str:
        """What is computed and stored how, in words."""
        if self.accelerator is None:
            return str(self.precision)
        where = "training and predictions" if self.trained_on_chip else "predictions alone"
        return f"{self.precision}; matrix products of {where} on {self.accelerator}"


def rows(config: Config) -> list[Row]:
    """Float32 SGD, SGLD and cSGLD, four rows a format, three an accelerator, all with averaging.

    Raises:
        ValueError: a pattern of ``config.rows`` that fits no row, or two rows of one name.
    """
    full = Precision()
    found = [
        Row("SGD", FLOAT32, full, noise=False),
        Row("SGLD", FLOAT32, full),
        Row("cSGLD", FLOAT32, full, cyclical=True),
    ]
    found += [row for name in config.formats for row in _format_rows(name)]
    found += [row for name in config.accelerators for row in _accelerator_rows(name)]
    _check_slugs(found)
    return _chosen(found, config.rows)


def _check_slugs(found: list[Row]) -> None:
    """Refuse rows whose chains would lie in one file."""
    names: dict[str, str] = {}
    for row in found:
        if row.slug in names:
            raise ValueError(
                f"the rows {names[row.slug]!r} and {row.name!r} would share their files; write "
                "each format once, and give accelerators other names"
            )
        names[row.slug] = row.name


def _format_rows(name: str) -> list[Row]:
    def precision(accumulator: str) -> Precision:
        return Precision(name, name, accumulator)

    return [
        Row("SGLD-F", name, precision("full")),
        Row("VC SGLD-L", name, precision("variance_corrected")),
        Row("SGLD-L", name, precision("low")),
        Row("SGD-L", name, precision("low"), noise=False),
    ]


def _accelerator_rows(name: str) -> list[Row]:
    """Weights accumulate in float32 off the chip, as in mixed-precision training."""
    full, label = Precision(), accelerator_label(name)
    return [
        Row("SGD", label, full, noise=False, accelerator=name),
        Row("SGLD", label, full, accelerator=name),
        Row("SGLD inference", label, full, accelerator=name, trained_on_chip=False),
    ]


def _chosen(found: list[Row], patterns: tuple[str, ...]) -> list[Row]:
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(row.name, pattern) for row in found):
            names = ", ".join(repr(row.name) for row in found)
            raise ValueError(f"rows={pattern!r} fits no row; the rows are {names}")
    if not patterns:
        return found
    return [row for row in found if any(fnmatch.fnmatchcase(row.name, p) for p in patterns)]
