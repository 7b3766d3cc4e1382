"""Law: importing is quick and light, and a second process compiles nothing."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

import numformats as nf
from tests.conftest import ROOT

IMPORT = """
import json, sys, time
start = time.process_time()  # other work on the machine does not count
import numformats
seconds = time.process_time() - start
print(json.dumps({"seconds": seconds, "modules": sorted(sys.modules)}))
"""
FIRST_CALL = """
import json, time
import numpy as np
import numformats as nf
x = np.ones(100, np.float32)
start = time.perf_counter()
nf.quantize(x, "e4m3")
nf.quantize(x, "mxfp4", "stochastic", key=1)
print(json.dumps({"seconds": time.perf_counter() - start}))
"""


def run(code: str, **environment: str) -> Any:
    """The JSON that ``code`` prints in a new interpreter."""
    env = os.environ | {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("heavy", ["torch", "cupy", "samplers", "scipy", "ml_dtypes", "matplotlib"])
def test_import_is_light(heavy: str) -> None:
    assert heavy not in run(IMPORT)["modules"]


def test_import_takes_less_than_half_a_second() -> None:
    best = min(run(IMPORT)["seconds"] for _ in range(5))
    assert best < 0.5


def test_a_second_process_compiles_nothing(tmp_path: pathlib.Path) -> None:
    cache = {"NUMFORMATS_CACHE": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path)}
    first = run(FIRST_CALL, **cache)["seconds"]
    assert any(tmp_path.rglob("*.nb?")), "the first process left no compiled code"
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    second = min(run(FIRST_CALL, **cache)["seconds"] for _ in range(2))
    after = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert before == after, "a second process compiled again"
    assert second < first / 3, f"first {first:.2f} s, second {second:.2f} s"


def test_every_public_name_has_a_docstring() -> None:
    for name in nf.__all__:
        public = getattr(nf, name)
        if callable(public) and not isinstance(public, nf.FixedPoint | nf.Float | nf.BlockFloat):
            assert public.__doc__, name


API = """
FixedPoint Float BlockFloat parse formats quantize encode decode pack unpack values spacing error
variance_corrected Key random roundings backends E4M3 E5M2 E4M3FNUZ BF16 FP16 TF32 E2M1 E8M0
MXFP8_E4M3 MXFP6_E3M2 MXFP4 MXINT8 NVFP4 MSFP12
"""


@pytest.mark.parametrize("name", API.split())
def test_the_names_of_the_design_exist(name: str) -> None:
    assert hasattr(nf, name)
    assert name in dir(nf)
