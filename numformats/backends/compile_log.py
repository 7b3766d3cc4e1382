"""Numba's compilations of emitted kernels, as log records at DEBUG."""

import logging
import time
from typing import Any

from numba.core import event

from numformats.backends.emitted import PACKAGE

logger = logging.getLogger(__name__)


class _Listener(event.Listener):
    def __init__(self) -> None:
        self.began: list[float] = []

    def on_start(self, event: Any) -> None:
        self.began.append(time.perf_counter())

    def on_end(self, event: Any) -> None:
        seconds = time.perf_counter() - self.began.pop() if self.began else 0.0
        function = event.data["dispatcher"].py_func
        if function.__module__.startswith(PACKAGE):
            logger.debug(
                "compiled %s.%s in %.2f s", function.__module__, function.__name__, seconds
            )


def listen() -> None:
    """Log compilations from now on."""
    event.register("numba:compile", _Listener())  # type: ignore[no-untyped-call]
