"""Settings shared by all tests."""

from __future__ import annotations

import os
import pathlib
import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("numformats", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("numformats")

ROOT = pathlib.Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def data_folder() -> pathlib.Path:
    """The folder of external data files; tests skip where it is absent."""
    folder = pathlib.Path(os.environ.get("NUMFORMATS_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data folder {folder}; set NUMFORMATS_DATA")
    return folder


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes that a test begins heed SIGINT, also where a shell runs the tests in its
    background, which would have them ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
