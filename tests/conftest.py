"""Settings shared by all tests."""

from __future__ import annotations

import os
import pathlib

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
