"""``sensitivity``: what a model loses when one layer alone is in low precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from numformats.dtypes import FormatLike
from numformats.formats import Format
from numformats.torch.direction import NEAREST
from numformats.torch.scaling import AmaxScaling
from numformats.torch.weights.choice import Formats, chosen, groups
from numformats.torch.weights.trial import check_deterministic, rounded, rounded_weights

Score = Callable[[nn.Module], float]


@dataclass(frozen=True)
class LayerLoss:
    """One parameter in one format, everything else as it is."""

    name: str
    format: str
    sqnr: float  #: of the weight, dB
    max_relative: float  #: largest |rounded - w| / |w|
    loss: float
    increase: float  #: over the loss of the model as it is


@dataclass(frozen=True)
class Sensitivity:
    """The loss of the model as it is, and with each parameter alone rounded."""

    base: float
    rows: tuple[LayerLoss, ...]

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as plain data, for a table or ``pandas.DataFrame``."""
        return [vars(row) for row in self.rows]

    def __str__(self) -> str:
        width = max(len(row.name) for row in self.rows)
        kind = max(len(row.format) for row in self.rows)
        lines = [f"loss {self.base:.6g} as it is"]
        for r in sorted(self.rows, key=lambda row: -row.increase):
            lines.append(
                f"{r.name:{width}}  {r.format:{kind}}  {r.sqnr:6.1f} dB  loss {r.loss:.6g} "
                f"({r.increase:+.2g})"
            )
        return "\n".join(lines)


def sensitivity(
    model: nn.Module,
    formats: Formats | Sequence[FormatLike],
    loss: Score,
    *,
    scaling: AmaxScaling | None = None,
    rounding: str = NEAREST,
    progress: bool = False,
) -> Sensitivity:
    """Round one parameter at a time and see what the model loses.

    Args:
        model: any module; it is left as it was, bit for bit.
        formats: as in ``quantize_model``, or a list of formats, each tried on every parameter of
            two or more dimensions. Shared parameters are rounded together, under their first name.
        loss: from the model to a number, the smaller the better; for example the mean loss over a
            data loader. Called once for every row, and once more.
        scaling: of formats without block scales.
        rounding: a deterministic mode.
        progress: show a progress bar.

    Raises:
        TypeError, ValueError: as ``quantize_model``; a loss that is no finite number for the model
            as it is.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 1.06]]))
        >>> found = sensitivity(model, ["e4m3", "bf16"], lambda m: float(m.weight.sum()))
        >>> [round(row.increase, 4) for row in found.rows]
        [-0.06, 0.0025]
    """
    trials = _trials(model, formats, rounding)
    with torch.no_grad():
        base = checked_loss(loss(model))
        rows = []
        for name, fmt in tqdm(trials, disable=not progress, desc="sensitivity"):
            weight = dict(model.named_parameters(remove_duplicate=False))[name]
            new = rounded(weight, fmt, rounding, scaling)
            with rounded_weights(model, {name: fmt}, rounding, scaling):
                value = float(loss(model))
            sqnr, relative = _error(weight.detach(), new)
            rows.append(LayerLoss(name, str(fmt), sqnr, relative, value, value - base))
    return Sensitivity(base, tuple(rows))


def checked_loss(value: float) -> float:
    """A finite number."""
    found = float(value)
    if not abs(found) < float("inf"):
        raise ValueError(f"loss(model) gave {found} for the model as it is; give a finite loss")
    return found


def _trials(model: nn.Module, formats: Any, rounding: str) -> list[tuple[str, Format]]:
    several = list(formats) if isinstance(formats, list | tuple) else [formats]
    if not several:
        raise ValueError("formats is empty; write at least one, for example ['e4m3', 'mxfp4']")
    found = [
        (held[0].name, fmt)
        for given in several
        for held, fmt in groups(model, chosen(model, given))
    ]
    for _, fmt in found:
        check_deterministic(fmt, rounding)
    return found


def _error(exact: torch.Tensor, new: torch.Tensor) -> tuple[float, float]:
    x, noise = exact.double(), (new.double() - exact.double()).abs()
    power, nonzero = float((noise**2).sum()), x != 0
    signal = float((x**2).sum())
    sqnr = float("inf") if power == 0 else 10 * float(torch.log10(torch.tensor(signal / power)))
    return sqnr, float((noise[nonzero] / x[nonzero].abs()).max()) if nonzero.any() else 0.0
