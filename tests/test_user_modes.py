"""Law: a rounding mode that a user writes as one expression works on every backend as it is."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.backends.cuda_tasks import CudaTasks
from numformats.rounding import MODES
from tests.host_cuda import HostMachine
from tests.inputs import assert_same_bits
from tests.odd_modes import away_above_a_quarter
from tests.runnable import BACKENDS

REGISTRY = sys.modules["numformats.backends"]
NAME = "host_cuda"
X = np.arange(-256, 257, dtype=np.float32) / 32
WANTED = np.sign(X) * (np.floor(np.abs(X)) + (np.abs(X) % 1 > 0.25))


@pytest.fixture
def mode() -> Iterator[str]:
    nf.mode(away_above_a_quarter)
    yield "away_above_a_quarter"
    del MODES["away_above_a_quarter"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_on_this_machines_backends(backend: str, mode: str) -> None:
    np.testing.assert_array_equal(nf.quantize(X, "fixed<8,0>", mode, backend=backend), WANTED)


def test_as_cuda_source(mode: str, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    found = REGISTRY.Availability(True, "")
    monkeypatch.setitem(REGISTRY._BACKENDS, NAME, REGISTRY.Backend("host", lambda: found))
    tasks = CudaTasks(HostMachine(tmp_path))
    monkeypatch.setitem(sys.modules, f"numformats.backends.{NAME}", tasks)
    REGISTRY.selected.cache_clear()
    got = nf.quantize(X, "fixed<8,0>", mode, backend=NAME)
    REGISTRY.selected.cache_clear()
    assert_same_bits(np.abs(got), np.abs(WANTED.astype(np.float32)))
    np.testing.assert_array_equal(got, WANTED)


SIMULATED = """
import sys, numpy as np, numformats as nf
from numformats.backends import numba_cuda_launch
from tests.odd_modes import away_above_a_quarter
numba_cuda_launch.THREADS = 32
registry = sys.modules["numformats.backends"]
found = registry.Availability(True, "")
registry._BACKENDS["numba_cuda"] = registry.Backend("host", lambda: found)
nf.mode(away_above_a_quarter)
x = np.float32([0.25, 0.26, -1.5, 2.0])
np.seterr(all="ignore")
print(nf.quantize(x, "fixed<8,0>", "away_above_a_quarter", backend="numba_cuda").tolist())
"""


def test_in_the_simulator() -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    root = pathlib.Path(__file__).resolve().parent.parent
    done = subprocess.run(
        [sys.executable, "-c", SIMULATED],
        cwd=root,
        env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "[0.0, 1.0, -2.0, 2.0]", done.stderr[-2000:]
