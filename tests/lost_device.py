"""pytest plugin (``-p tests.lost_device``): a worker that has lost its device ends, and xdist gives
what it had left to do to another. Else its tests, which would then fail at once, would be most of
all tests.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.gpu_lost import lost

STATUS = 70  # of a worker that ends so


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: Any) -> Iterator[None]:
    """Ends the worker after a test that lost the device; its report is sent by then."""
    try:
        return (yield)
    finally:
        if hasattr(item.config, "workerinput") and lost():
            os._exit(STATUS)
