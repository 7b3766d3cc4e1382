"""Accelerators as JSON and TOML files.

Formats are text that ``nf.parse`` reads; engines, scalings and requantization rules are tables with
the arguments of their classes (``class`` names the class where there are several). What is missing
has its default.
"""

import json
import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

from numformats import engines
from numformats.accelerators.accelerator import ROLES, Accelerator
from numformats.accelerators.scaling import Scaling
from numformats.checks import choice
from numformats.engines import ApFixed, Engine, MultiplierRequantize, ShiftRequantize
from numformats.formats import BlockFloat, FixedPoint, Float

Data = dict[str, Any]
ENGINES = {
    name: found
    for name in engines.__all__
    if isinstance(found := getattr(engines, name), type)
    and issubclass(found, Engine)
    and found is not Engine
}
RULES = {rule.__name__: rule for rule in (MultiplierRequantize, ShiftRequantize, ApFixed)}
ENDINGS = (".json", ".toml")


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
        if name not in given:
            raise ValueError(f"the accelerator has no {name!r}; write one")
    for name in given:
        choice("field of an accelerator", name, [f.name for f in fields(Accelerator)])
    given["engine"] = _built(given["engine"], ENGINES, "engine")
    if "requantize" in given:
        given["requantize"] = _built(given["requantize"], RULES, "requantize")
    scalings = given.get("scaling", {})
    if not isinstance(scalings, dict):
        raise TypeError(f"scaling={scalings!r}; write a table for each role")
    given["scaling"] = {role: _made(Scaling, s, "scaling") for role, s in scalings.items()}
    if isinstance(given.get("sources"), list):
        given["sources"] = tuple(given["sources"])
    return Accelerator(**given)


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
    choice(f"class of {what}", data["class"], known)
    rest = {name: value for name, value in data.items() if name != "class"}
    return _made(known[data["class"]], rest, what)


def _made(make: Any, data: Any, what: str) -> Any:
    if not isinstance(data, dict):
        raise TypeError(f"{what}={data!r}; write a table of arguments of {make.__name__}")
    names = [f.name for f in fields(make)]
    for name in data:
        choice(f"argument of {make.__name__}", name, names)
    given = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
    for part in fields(make):
        if part.default is MISSING and part.default_factory is MISSING and part.name not in given:
            raise ValueError(f"{what}: {make.__name__} needs {part.name!r}; write it")
    return make(**given)


def save(chip: Accelerator, path: Any) -> None:
    """Write ``chip`` to a ``.json`` or ``.toml`` file."""
    path = _ending(path)
    data = to_dict(chip)
    text = json.dumps(data, indent=2, ensure_ascii=False) + "\n"
    path.write_text(toml(data) if path.suffix == ".toml" else text, encoding="utf-8")


def load(path: Any) -> Accelerator:
    """The accelerator in a ``.json`` or ``.toml`` file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: another ending, broken syntax, fields that do not fit.

    Example:
        >>> import numformats as nf, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "chip.toml"
        >>> nf.accelerator("nvidia-h100-fp8").save(path)
        >>> load(path) == nf.accelerator("nvidia-h100-fp8")
        True
    """
    path = _ending(path)
    text = path.read_text(encoding="utf-8")
    try:
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except ValueError as error:
        raise ValueError(f"{path} is no {path.suffix[1:].upper()}: {error}") from None
    return from_dict(data)


def _ending(path: Any) -> Path:
    found = Path(path)
    if found.suffix not in ENDINGS:
        raise ValueError(f"path={str(path)!r}; write a name that ends in .json or .toml")
    return found


def toml(data: Data) -> str:
    """``data`` as TOML: values, then tables. Strings, ints, floats, bools, lists, nested dicts."""
    return "\n".join(_toml_lines(data, "")) + "\n"


def _toml_lines(data: Data, prefix: str) -> list[str]:
    # JSON's strings, numbers and lists of these are TOML's, too
    lines = [
        f"{name} = {json.dumps(value, ensure_ascii=False)}"
        for name, value in data.items()
        if not isinstance(value, dict)
    ]
    for name, value in data.items():
        if isinstance(value, dict):
            body = _toml_lines(value, f"{prefix}{name}.")
            lines += ["", f"[{prefix}{name}]", *body]
    return lines
