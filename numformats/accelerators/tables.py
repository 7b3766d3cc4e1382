"""Accelerators as tables of plain data, and back.

Formats are texts that ``nf.parse`` reads; engines, scalings and requantization are tables with
the arguments of their classes (``class`` names the class where there are several). What is missing
has its default.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import MISSING, fields
from typing import Any

from numformats import engines
from numformats.accelerators.accelerator import ROLES, Accelerator
from numformats.accelerators.scaling import Scaling
from numformats.checks import choice
from numformats.engines import ApFixed, Engine, MultiplierRequantize, ShiftRequantize
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.naming import parse

Data = dict[str, Any]
ENGINES = {
    name: found
    for name in engines.__all__
    if isinstance(found := getattr(engines, name), type)
    and issubclass(found, Engine)
    and found is not Engine
}
RULES = {rule.__name__: rule for rule in (MultiplierRequantize, ShiftRequantize, ApFixed)}
PARTS: dict[str, Data] = {"engine": ENGINES, "requantize": RULES}


def to_dict(chip: Accelerator) -> Data:
    """The preset as texts, numbers, lists and dicts; ``from_dict`` is the inverse.

    Raises:
        ValueError: an engine of a class that ``numformats.engines`` lacks.
    """
    data: Data = {"name": chip.name, "title": chip.title, "confidence": chip.confidence}
    data |= {role: str(chip.storage(role)) for role in ROLES if chip.storage(role) is not None}
    data["rounding"] = chip.rounding
    if chip.error_rounding is not None:
        data["error_rounding"] = chip.error_rounding
    data["notes"], data["sources"] = chip.notes, list(chip.sources)
    data["engine"] = _table(chip.engine, ENGINES)
    if chip.scaling:
        data["scaling"] = {role: _fields(scaling) for role, scaling in chip.scaling}
    if chip.requantize is not None:
        data["requantize"] = _table(chip.requantize, RULES)
    return data


def from_dict(data: Data) -> Accelerator:
    """The preset that ``to_dict`` described.

    Raises:
        TypeError, ValueError: missing or unknown fields, names and values.
    """
    if not isinstance(data, dict):
        raise TypeError(f"an accelerator is a table of fields, not {data!r}")
    given = dict(data)
    for name in ("name", "engine"):
        with _at(name):
            if name not in given:
                raise ValueError(f"the accelerator has no {name!r}; write one")
    for name in given:
        with _at(name):
            choice("field of an accelerator", name, [f.name for f in fields(Accelerator)])
            if name in ROLES:
                given[name] = parse(given[name])
            elif name in PARTS:
                given[name] = _built(given[name], PARTS[name], name)
            elif name == "scaling":
                given[name] = _scalings(given[name])
            elif name == "sources" and isinstance(given[name], list):
                given[name] = tuple(given[name])
    with _at(*given, first_named=True):
        return Accelerator(**given)


@contextmanager
def _at(*keys: str, first_named: bool = False) -> Iterator[None]:
    """Errors within get to know that they are about ``keys``, or about the first of them that
    their text names."""
    try:
        yield
    except (TypeError, ValueError) as error:
        inner: tuple[str, ...] = getattr(error, "keys", ())
        if first_named:
            words = re.findall(r"\w+", str(error))
            keys = tuple(word for word in words if word in keys)[:1]
        error.keys = (*keys, *inner)  # type: ignore[union-attr]
        raise


def _scalings(data: Any) -> Data:
    if not isinstance(data, dict):
        raise TypeError(f"scaling={data!r}; write a table for each role")
    found = {}
    for role, scaling in data.items():
        with _at(role):
            choice("role of scaling", role, ROLES)
            found[role] = _made(Scaling, scaling, "scaling")
    return found


def _table(value: Any, known: dict[str, Any]) -> Data:
    name = type(value).__name__
    if known.get(name) is not type(value):
        raise ValueError(
            f"{name} is a class of this program only, and a file could not name it; a file holds "
            f"one of {', '.join(known)}"
        )
    return {"class": name, **_fields(value)}


def _fields(value: Any) -> Data:
    """The arguments of a dataclass that are not their defaults."""
    found: Data = {}
    for part in fields(value):
        given = getattr(value, part.name)
        if given is None or (part.default is not MISSING and given == part.default):
            continue
        if isinstance(given, Float | FixedPoint | BlockFloat):
            given = str(given)
        found[part.name] = list(given) if isinstance(given, tuple) else given
    return found


def _built(data: Any, known: dict[str, Any], what: str) -> Any:
    if not isinstance(data, dict) or not isinstance(data.get("class"), str):
        raise ValueError(f"{what}={data!r}; write a table with class = one of {', '.join(known)}")
    with _at("class"):
        choice(f"class of {what}", data["class"], known)
    rest = {name: value for name, value in data.items() if name != "class"}
    return _made(known[data["class"]], rest, what)


def _made(make: Any, data: Any, what: str) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"{what}={data!r}; write a table of arguments of {make.__name__}")
    names = [f.name for f in fields(make)]
    for name in data:
        with _at(name):
            choice(f"argument of {make.__name__}", name, names)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    for part in fields(make):
        if part.default is MISSING and part.default_factory is MISSING and part.name not in given:
            with _at(part.name):
                raise ValueError(f"{what}: {make.__name__} needs {part.name!r}; write it")
    with _at(*given, first_named=True):
        return make(**given)
