"""A machine that counts what a product on a device takes: memory, launches, waits."""

from __future__ import annotations

import pathlib
import sys
import weakref
from typing import Any

import numpy as np
import pytest

from numformats.backends.cuda_tasks import CudaTasks
from numformats.device import DeviceArray
from tests.engines.test_device import NAME, REGISTRY, ClaimedMachine, claimed_memory


class CountingMachine(ClaimedMachine):
    """``peak`` bytes of scratch memory were held at once; ``launches`` of kernels, ``waits``."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(folder)
        self.forget()

    def forget(self) -> None:
        """Start counting anew."""
        self.held = self.peak = self.launches = self.waits = 0

    def noted(self, x: np.ndarray) -> DeviceArray:
        self.held += x.nbytes
        self.peak = max(self.peak, self.held)
        weakref.finalize(x, self.freed, x.nbytes)
        return claimed_memory(x)

    def freed(self, count: int) -> None:
        self.held -= count

    def empty(self, shape: Any, dtype: Any, like: Any) -> DeviceArray:
        return self.noted(np.full(shape, 99, dtype))

    def zeros(self, shape: Any, dtype: Any, like: Any) -> DeviceArray:
        return self.noted(np.zeros(shape, dtype))

    def upload(self, array: Any, like: Any) -> DeviceArray:
        return self.noted(np.array(array))

    def read(self, array: Any) -> Any:
        self.waits += 1
        return super().read(array)

    def launch(self, *what: Any) -> None:
        self.launches += 1
        super().launch(*what)


def use(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> CountingMachine:
    """A counting machine as the backend ``NAME``."""
    machine = CountingMachine(folder)
    monkeypatch.setitem(sys.modules, f"numformats.backends.{NAME}", CudaTasks(machine))
    REGISTRY.selected.cache_clear()
    return machine
