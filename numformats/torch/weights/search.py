"""``search_formats``: the smallest formats of a model's weights within a budget of loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from numformats.blocking import scales_shape
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, Format
from numformats.naming import parse
from numformats.torch.direction import NEAREST
from numformats.torch.scaling import AmaxScaling
from numformats.torch.scaling import scales_shape as scaling_shape
from numformats.torch.weights.choice import chosen, groups
from numformats.torch.weights.sensitivity import Score, checked_loss
from numformats.torch.weights.trial import check_deterministic, rounded_weights

Among = str | Sequence[str] | Mapping[str, Any]


@dataclass(frozen=True)
class Step:
    """One narrowing that was tried."""

    name: str
    format: str
    loss: float  #: of the whole model with it
    taken: bool


@dataclass(frozen=True)
class FormatSearch:
    """The formats found, and how. ``formats`` goes into ``quantize_model``."""

    formats: dict[str, Format]  #: parameters without one stay as they are
    base: float  #: loss of the model as it is
    loss: float  #: with ``formats``
    bits: int  #: of the searched parameters with ``formats``, scales included
    dense_bits: int  #: of the same as they are
    steps: tuple[Step, ...]

    def dicts(self) -> list[dict[str, Any]]:
        """The steps as plain data, for a table or ``pandas.DataFrame``."""
        return [vars(step) for step in self.steps]

    def __str__(self) -> str:
        lines = [f"{name}: {fmt}" for name, fmt in self.formats.items()]
        share = self.bits / self.dense_bits
        lines.append(f"loss {self.base:.6g} -> {self.loss:.6g}, {share:.3f} of the bits")
        return "\n".join(lines)


def stored_bits(shape: Sequence[int], fmt: Format, scaling: AmaxScaling | None = None) -> int:
    """Bits that a tensor of ``shape`` takes: codes, and the scales of its blocks or those of
    ``scaling``."""
    codes = prod(shape) * fmt.bits
    if not isinstance(fmt, BlockFloat):
        levels = 0 if scaling is None else prod(scaling_shape(tuple(shape), scaling.axes))
        return codes + 32 * levels
    scales = prod(scales_shape(fmt, tuple(shape)))
    return codes + scales * fmt.scale.bits + 32 * fmt.tensor_scale


def search_formats(
    model: nn.Module,
    candidates: Sequence[FormatLike],
    loss: Score,
    *,
    budget: float,
    among: Among = "*",
    scaling: AmaxScaling | None = None,
    rounding: str = NEAREST,
    progress: bool = False,
) -> FormatSearch:
    """The smallest formats, parameter by parameter, that keep the loss within a budget.

    Greedy: every parameter is measured alone in every candidate; then the narrowings are tried, by
    bits saved a unit of loss, on the whole model, and those that stay within the budget are kept,
    until none is left that does.

    Args:
        model: any module; it is left as it was, bit for bit.
        candidates: formats, in any order.
        loss: from the model to a number, the smaller the better (for an accuracy: the error rate).
        budget: the increase of the loss that is allowed, >= 0.
        among: patterns of the parameters to search, as in ``quantize_model``; of a mapping those
            whose value is not None.
        scaling: of formats without block scales.
        rounding: a deterministic mode.
        progress: show a progress bar.

    Returns:
        Formats with ``loss <= base + budget``, measured on the whole model. Promise: no single
        parameter can be given a smaller candidate within the budget; not the best of all
        combinations.

    Raises:
        TypeError, ValueError: as ``quantize_model``; a negative budget; no candidates.

    Reference: greedy bit allocation by sensitivity, as in HAWQ (Dong et al., ICCV 2019), with
        measured losses in the place of Hessian traces.
    """
    formats = [parse(c) for c in candidates]
    if not formats:
        raise ValueError("candidates is empty; write at least one, for example ['e4m3', 'mxfp4']")
    if not 0 <= budget < float("inf"):
        raise ValueError(f"budget={budget!r}; write an increase of the loss >= 0, for example 0.01")
    for fmt in formats:
        check_deterministic(fmt, rounding)
    names, search = _names(model, among), _Search(model, loss, scaling, rounding)
    with torch.no_grad():
        base = checked_loss(loss(model))
        return search.run(names, formats, base, base + budget, progress)


def _names(model: nn.Module, among: Among) -> dict[str, tuple[int, ...]]:
    if not isinstance(among, str | Mapping | list | tuple):
        raise TypeError(f"among={among!r}; write a pattern, a list of them, or a mapping")
    given = [among] if isinstance(among, str) else among
    left = {p for p in given if isinstance(given, Mapping) and given[p] is None}
    wanted = chosen(model, {p: None if p in left else "fp32" for p in given})
    return {held[0].name: tuple(held[0].weight.shape) for held, _ in groups(model, wanted)}


Move = tuple[str, Format, int]  #: a parameter, its new format, its bits in it


class _Search:
    """The state of one search: the formats so far, and what was tried."""

    def __init__(
        self, model: nn.Module, loss: Score, scaling: AmaxScaling | None, rounding: str
    ) -> None:
        self.model, self.score, self.how = model, loss, (rounding, scaling)
        self.formats: dict[str, Format] = {}
        self.steps: list[Step] = []

    def loss(self, formats: dict[str, Format]) -> float:
        with rounded_weights(self.model, formats, *self.how):
            return float(self.score(self.model))

    def run(
        self,
        shapes: dict[str, tuple[int, ...]],
        candidates: list[Format],
        base: float,
        limit: float,
        progress: bool,
    ) -> FormatSearch:
        weights = dict(self.model.named_parameters(remove_duplicate=False))
        dense = {n: 8 * weights[n].element_size() * prod(shape) for n, shape in shapes.items()}
        sizes = (
            (name, fmt, stored_bits(shape, fmt, self.how[1]))
            for name, shape in shapes.items()
            for fmt in candidates
        )
        moves = [move for move in sizes if move[2] < dense[move[0]]]
        alone = {
            move: self.loss({move[0]: move[1]}) - base
            for move in tqdm(moves, disable=not progress, desc="each alone")
        }
        now, value, changed = dict(dense), base, True
        while changed:
            changed, tried = False, set[Move]()
            while found := _ranked(alone, now, tried):
                tried.add(found[0])
                loss = self._try(found[0], limit)
                if loss is not None:
                    now[found[0][0]], value, changed = found[0][2], loss, True
        formats = {name: self.formats[name] for name in shapes if name in self.formats}
        total = sum(now.values()), sum(dense.values())
        return FormatSearch(formats, base, value, *total, tuple(self.steps))

    def _try(self, move: Move, limit: float) -> float | None:
        """The loss of the whole model with this narrowing, which is kept within the limit."""
        value = self.loss({**self.formats, move[0]: move[1]})
        self.steps.append(Step(move[0], str(move[1]), value, value <= limit))
        if not value <= limit:
            return None
        self.formats[move[0]] = move[1]
        return value


def _ranked(alone: dict[Move, float], now: dict[str, int], tried: set[Move]) -> list[Move]:
    """What is smaller than now and was not tried, by loss a bit saved."""
    left = [move for move in alone if move[2] < now[move[0]] and move not in tried]
    return sorted(left, key=lambda move: _price(alone[move], now[move[0]] - move[2]))


def _price(increase: float, saved: int) -> tuple[float, int]:
    """Loss a bit saved, at most; among those that cost nothing, what saves most."""
    return max(increase, 0.0) / saved, -saved
