"""Which simulation runs in this thread."""

import threading
from typing import Any

_active = threading.local()


def running() -> Any:
    """The ``Simulation`` that this thread runs under, or None."""
    return getattr(_active, "simulation", None)


def run_under(simulation: Any) -> None:
    """From now on this thread runs under ``simulation`` (None: under none)."""
    _active.simulation = simulation
