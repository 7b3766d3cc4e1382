"""Functions and classes by name, so that a specification is plain data."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable
from functools import reduce
from typing import Any


def name_of(what: str | Callable[..., Any], field: str = "") -> str:
    """``"module:qualified.name"`` of a function, a class, or a dotted name of one; ``field`` is
    what it was given as.

    Raises:
        ValueError: a function that a new process could not import, or no name at all.
    """
    if isinstance(what, str):
        module, _, name = what.partition(":") if ":" in what else what.rpartition(".")
    else:
        module, name = getattr(what, "__module__", ""), getattr(what, "__qualname__", "")
    if not module or not name or "<" in name:
        given = f"{field}={what!r}" if field else repr(what)
        raise ValueError(
            f"{given} has no name that a new process could import; write a function at the top of "
            'a module, or its name "package.module:function"'
        )
    return f"{module}:{name}"


def named(name: str) -> Any:
    """What ``"module:qualified.name"`` names.

    Raises:
        ValueError: no such module, or nothing of that name in it.
    """
    module, _, path = name.partition(":")
    try:
        return reduce(getattr, path.split("."), importlib.import_module(module))
    except (ImportError, AttributeError) as error:
        raise ValueError(
            f"{name!r} cannot be found ({error}); write a name that imports here, "
            '"package.module:function"'
        ) from error


CALL = "call"


def as_data(value: Any) -> Any:
    """A dataclass as a mapping of its fields, with its name under ``"call"``; all else as it is."""
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    return {CALL: name_of(type(value)), **fields}


def built(data: Any) -> Any:
    """What `as_data` took apart."""
    if not isinstance(data, dict) or CALL not in data:
        return data
    return named(data[CALL])(**{name: value for name, value in data.items() if name != CALL})
