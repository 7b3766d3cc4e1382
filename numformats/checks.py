"""Checks of arguments: what came, what was wanted, what to write instead."""

import difflib
from collections.abc import Iterable


def integer(name: str, value: object, low: int, high: int) -> None:
    """``value`` is an int in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(
            f"{name}={value!r} is a {type(value).__name__}; write an int in [{low}, {high}]"
        )
    if not low <= value <= high:
        raise ValueError(f"{name}={value} is out of range; write an int in [{low}, {high}]")


def flag(name: str, value: object) -> None:
    """``value`` is a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{name}={value!r} is a {type(value).__name__}; write True or False")


def choice(name: str, value: object, known: Iterable[str]) -> None:
    """``value`` is one of ``known``; the closest match is offered otherwise."""
    known = tuple(known)
    if value in known:
        return
    close = difflib.get_close_matches(str(value), known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"unknown {name} {value!r}; {hint}known: {', '.join(known)}")
