"""Which simulation runs in this thread."""

import os
import threading
from typing import Any

_active = threading.local()


def running() -> Any:
    """The ``Simulation`` that this thread runs under, or None."""
    return getattr(_active, "simulation", None)


def run_under(simulation: Any) -> None:
    """From now on this thread runs under ``simulation`` (None: under none)."""
    _active.simulation = simulation


def _forked() -> None:
    """A worker of a data loader is no part of what its parent simulates."""
    if running() is not None:
        running().stop()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)
