"""pytest plugin (``-p tests.lost_device``): a worker that has lost its device ends, and xdist gives
what it had left to do to another. After a fault in a kernel CUDA refuses all further work of a
process, and its tests, which would then fail at once, would be most of all tests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Any

import pytest

STATUS = 70  # of a worker that ends so


def lost() -> bool:
    """Whether the device refuses work that has to succeed."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    """Ends the worker after a test that lost the device; its report is sent by then."""
    try:
        return (yield)
    finally:
        if hasattr(item.config, "workerinput") and lost():
            os._exit(STATUS)
