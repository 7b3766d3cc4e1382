"""Which weights of a model get which format."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple, TypeAlias

from torch import nn
from torch.nn.parameter import is_lazy

from numformats.dtypes import FormatLike
from numformats.formats import Format
from numformats.naming import parse
from numformats.torch.weights.packed import is_packed

Formats: TypeAlias = FormatLike | Mapping[str, FormatLike | None]


class Place(NamedTuple):
    """A parameter where a module holds it."""

    name: str  #: as in ``named_parameters()``
    module: nn.Module
    path: str  #: of the module
    key: str  #: of the parameter in it

    @property
    def weight(self) -> nn.Parameter:
        """The parameter."""
        found: nn.Parameter = getattr(self.module, self.key)
        return found


def places(model: nn.Module) -> list[Place]:
    """Every place of a floating-point parameter; a shared one has several. The scales of packed
    weights are none."""
    return [
        Place(f"{path}.{key}" if path else key, module, path, key)
        for path, module in model.named_modules()
        if not is_packed(module)
        for key, value in module.named_parameters(recurse=False, remove_duplicate=False)
        if value.is_floating_point()
    ]


def chosen(model: nn.Module, formats: Formats) -> dict[str, Format | None]:
    """The format of every parameter that is named, or None, by its name.

    Args:
        model: any module.
        formats: one format for all parameters of two or more dimensions; or a mapping from patterns
            to formats (None: leave as it is), of which the last match counts. A pattern, with
            ``*``, names parameters, or modules by path or class and then their parameters of two
            or more dimensions.

    Raises:
        TypeError: ``formats`` is neither.
        ValueError: an unknown format; a pattern that matches nothing, with the closest names; no
            parameter at all; one of a lazy module that has not run.
    """
    given = formats if isinstance(formats, Mapping) else {"*": formats}
    found: dict[str, Format | None] = {}
    everywhere = places(model)
    for pattern, value in given.items():
        if not isinstance(pattern, str):
            raise TypeError(f"formats has key {pattern!r}; write a pattern such as 'layers.*'")
        fmt = None if value is None else parse(value)
        if fmt is not None:
            check_shapes(pattern, everywhere)
        hits = [place for place in everywhere if _matches(pattern, place)]
        if not hits:
            raise ValueError(_vectors(pattern, everywhere) or _nothing(pattern, everywhere))
        found.update((place.name, fmt) for place in hits)
    return found


def check_shapes(pattern: str, everywhere: list[Place]) -> None:
    """Refuse parameters without a shape among those that ``pattern`` may mean.

    Raises:
        ValueError: a lazy module that has not run.
    """
    for place in everywhere:
        named = fnmatchcase(place.name, pattern) or _names(pattern, place)
        if named and is_lazy(place.weight):
            raise ValueError(
                f"{place.name!r} of a {type(place.module).__name__} has no shape before it has "
                "run; run the model on a batch first"
            )


def _matches(pattern: str, place: Place) -> bool:
    if fnmatchcase(place.name, pattern) and (place.weight.ndim > 1 or pattern != "*"):
        return True
    return place.weight.ndim > 1 and _names(pattern, place)


def _names(pattern: str, place: Place) -> bool:
    """Whether ``pattern`` names the module."""
    kind = type(place.module).__name__
    return fnmatchcase(place.path, pattern) or fnmatchcase(kind, pattern)


def _vectors(pattern: str, everywhere: list[Place]) -> str:
    """What to write where ``pattern`` names modules without larger parameters."""
    small = [p.name for p in everywhere if _names(pattern, p)]
    if not small or pattern == "*":
        return ""
    return (
        f"{pattern!r} names modules whose parameters all have one dimension; name the parameters: "
        f"{', '.join(map(repr, small[:3]))}"
    )


def _nothing(pattern: str, everywhere: list[Place]) -> str:
    if pattern == "*":
        return "the model has no floating-point parameter of two or more dimensions; name others"
    names = {n for p in everywhere for n in (p.name, p.path, type(p.module).__name__)}
    known = sorted(names - {""})
    close = difflib.get_close_matches(pattern, known, n=3, cutoff=0.4) or known[:3]
    return (
        f"{pattern!r} matches no parameter; closest: {', '.join(map(repr, close))}. Write a name "
        "of named_parameters(), a path of named_modules(), a class name, or a pattern with *"
    )


def groups(
    model: nn.Module, formats: Mapping[str, Format | None]
) -> Iterator[tuple[list[Place], Format]]:
    """All places of each parameter that has a format, which one name of a shared parameter gives.

    Raises:
        ValueError: a shared parameter with two formats, or with one and None.
    """
    shared: dict[int, list[Place]] = {}
    for place in places(model):
        shared.setdefault(id(place.weight), []).append(place)
    for held in shared.values():
        wanted = {place.name: formats[place.name] for place in held if place.name in formats}
        if len(set(wanted.values())) > 1:
            names = ", ".join(f"{name!r}: {fmt}" for name, fmt in wanted.items())
            raise ValueError(f"one parameter has two formats ({names}); give it one")
        for fmt in set(wanted.values()):
            if fmt is not None:
                yield held, fmt
