"""The parameters of an optimizer with their numbers, names, groups and precisions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from samplers.precision import FULL, Precision
from samplers.rules import check_matches


@dataclass(frozen=True)
class Entry:
    """A parameter, its number, its name (blank without one), its group and its precision."""

    index: int
    name: str
    param: torch.Tensor
    group: dict[str, Any]
    precision: Precision

    @property
    def label(self) -> str:
        """The parameter in messages."""
        return f"parameter {self.index}" + (f" ({self.name!r})" if self.name else "")


def entries(groups: list[dict[str, Any]], precision: Precision) -> Iterator[Entry]:
    """The parameters in order; ``precision`` is of the groups without one of their own."""
    index = 0
    for group in groups:
        names = group.get("param_names", [""] * len(group["params"]))
        own = group.get("precision", precision)
        for name, param in zip(names, group["params"], strict=True):
            yield Entry(index, name, param, group, own.for_parameter(index, name, param))
            index += 1


def with_saved(
    found: Iterable[Entry], saved: dict[str, Any]
) -> list[tuple[int, Entry, dict[str, Any]]]:
    """The parameters with their numbers and states in the ``state_dict`` ``saved``."""
    numbers = [number for group in saved["param_groups"] for number in group["params"]]
    pairs = zip(numbers, found, strict=False)  # the base class refuses another number of them
    return [(number, entry, saved["state"].get(number, {})) for number, entry in pairs]


def check_all_rules(groups: list[dict[str, Any]], precision: Precision) -> None:
    """Refuse rules that fit none of the parameters they are for."""
    found: dict[Precision, dict[int, str]] = {precision: {}}
    for entry in entries(groups, precision):
        own = entry.group.get("precision", precision)
        found.setdefault(own, {})[entry.index] = entry.name
    for own, names in found.items():
        check_matches([match for match, _ in own.rules], names)


def checked_precision(precision: object) -> Precision:
    """``precision``, full where None; refuses what is none."""
    if precision is None:
        return FULL
    if not isinstance(precision, Precision):
        raise TypeError(f"precision={precision!r}: write samplers.Precision(...) or None")
    return precision
