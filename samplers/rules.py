"""Which parameters a rule of a precision is for."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import torch

ParameterMatch: TypeAlias = int | str | Callable[[str, torch.Tensor], bool]
"""A parameter's index, a glob on its name, or a predicate of name and tensor."""


def matches(match: ParameterMatch, index: int, name: str, tensor: torch.Tensor) -> bool:
    """Whether the rule is for this parameter."""
    if isinstance(match, int):
        return match == index
    if isinstance(match, str):
        if not name:
            raise ValueError(
                f"the rule {match!r} goes by name, but parameter {index} has none; "
                "build the optimizer from model.named_parameters()"
            )
        return fnmatch.fnmatchcase(name, match)
    return bool(match(name, tensor))


def check_matches(found: Iterable[ParameterMatch], names: Mapping[int, str]) -> None:
    """Refuse rules by name or index that fit none of the parameters.

    Args:
        found: of the rules of one precision.
        names: of the parameters that it is for, by index.
    """
    for match in found:
        if isinstance(match, int) and match not in names:
            raise ValueError(
                f"the rule for parameter {match} fits none; there are {len(names)} parameters, "
                f"numbered from 0"
            )
        if isinstance(match, str) and not fnmatch.filter(names.values(), match):
            close = difflib.get_close_matches(match.strip("*?"), names.values(), 3, cutoff=0.0)
            raise ValueError(
                f"the rule {match!r} fits no parameter's name; the closest are "
                f"{', '.join(map(repr, close))}"
            )
