"""Law: nothing is printed; what is compiled, cached and replaced is logged."""

from __future__ import annotations

import logging
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from numformats.backends import Availability, Backend, emitted
from tests.conftest import ROOT

PROGRAM = """
import logging, sys
if sys.argv[2] == "loud":
    logging.basicConfig(level=logging.DEBUG, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("numba").setLevel(logging.WARNING)
import numpy as np, numformats as nf
nf.quantize(np.ones(100, np.float32), "e4m3")
"""


def run(folder: pathlib.Path, how: str) -> Any:
    env = {"PYTHONPATH": str(ROOT), "NUMFORMATS_CACHE": str(folder), "PATH": "", "HOME": "/"}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "x", how], env=env, capture_output=True, text=True,
        check=True,
    )  # fmt: skip


def test_compilations_and_the_cache_are_logged_once_and_nothing_is_printed(
    tmp_path: pathlib.Path,
) -> None:
    first, second, silent = (run(tmp_path, how) for how in ("loud", "loud", "silent"))
    assert f"DEBUG numformats.backends.emitted kernels are cached in {tmp_path}" in first.stderr
    assert "DEBUG numformats.backends.compile_log compiled numformats_kernels." in first.stderr
    assert "compiled" not in second.stderr
    assert first.stdout == second.stdout == silent.stdout == silent.stderr == ""


def test_a_folder_that_cannot_be_written_is_warned_of(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NUMFORMATS_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.WARNING, "numformats"):
        emitted.cache_folder()
    assert f"kernels cannot be cached in {tmp_path / 'file'}" in caplog.text


def test_a_backend_that_stands_in_for_another_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    missing = Backend("host", lambda: Availability(False, "numba cannot be imported"))
    module = sys.modules["numformats.backends"]
    monkeypatch.setitem(module._BACKENDS, "numba_cpu", missing)
    with caplog.at_level(logging.WARNING, "numformats"):
        assert module._first("host") == "reference"
    assert "host arrays go to reference; numba_cpu: numba cannot be imported" in caplog.text


def test_both_packages_leave_handlers_to_the_program() -> None:
    import samplers  # noqa: F401

    for name in ("numformats", "samplers"):
        kinds = [type(handler) for handler in logging.getLogger(name).handlers]
        assert logging.NullHandler in kinds
