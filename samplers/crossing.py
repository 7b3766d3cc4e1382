"""Exceptions as they cross from one process to another: whatever they are, they arrive."""

from __future__ import annotations

import pickle
import traceback
from typing import Any, NamedTuple


class Crossing(NamedTuple):
    """An exception as plain data: its type and text, its traceback, and its pickle or nothing."""

    text: str
    trace: str
    pickled: bytes


class WorkerTracebackError(Exception):
    """Cause of an exception from another process; its text is the traceback there."""


def packed(error: BaseException) -> Crossing:
    """``error`` to be sent."""
    text = "".join(traceback.format_exception_only(error)).strip()
    try:
        pickled = pickle.dumps(error)
    except Exception:  # of whatever the exception holds
        pickled = b""
    return Crossing(text, "".join(traceback.format_exception(error)), pickled)


def arrived(crossing: Crossing) -> Exception:
    """What was sent, as a new object; a RuntimeError of its text where it has no pickle that loads.

    What is no ``Exception`` (SystemExit) would end this process: it comes as a RuntimeError too.
    """
    error: Any
    try:
        error = pickle.loads(crossing.pickled)
    except Exception:  # an exception of one's own may ask for any arguments
        error = None
    if not isinstance(error, Exception):
        error = RuntimeError(crossing.text)
    arrival: Exception = error
    arrival.__cause__ = WorkerTracebackError(f"\n{crossing.trace}")
    return arrival
