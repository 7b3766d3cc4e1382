"""Backends by name. Adding one is one file and one line here."""

import difflib
import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple


class Availability(NamedTuple):
    """Whether a backend can run here, and why not."""

    available: bool
    reason: str


def _with_numba() -> Availability:
    try:
        importlib.import_module("numba")
    except ImportError as error:
        return Availability(False, f"numba cannot be imported: {error}")
    return Availability(True, "")


_BACKENDS: dict[str, Callable[[], Availability]] = {
    "numba_cpu": _with_numba,
    "reference": lambda: Availability(True, ""),
}


def backends() -> dict[str, Availability]:
    """What can run here, and why the rest cannot."""
    return {name: probe() for name, probe in _BACKENDS.items()}


@cache
def select(name: str) -> Any:
    """The backend module called ``name``; ``"auto"`` is the first that can run.

    Raises:
        ValueError: unknown name (with the closest match), or a backend that cannot run here (with
            the reason).
    """
    if name == "auto":
        name = next(n for n, found in backends().items() if found.available)
    if name not in _BACKENDS:
        close = difflib.get_close_matches(str(name), ["auto", *_BACKENDS], n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown backend {name!r}; {hint}known: auto, {', '.join(_BACKENDS)}")
    found = _BACKENDS[name]()
    if not found.available:
        raise ValueError(f"backend {name!r} cannot run here: {found.reason}; write backend='auto'")
    return importlib.import_module(f"numformats.backends.{name}")
