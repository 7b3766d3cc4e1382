"""Law: the instructions (PTX) that Numba makes of its CUDA kernels, run on the host, give the
reference's bits. A planted error is seen.
"""

from __future__ import annotations

import pathlib

import pytest

from tests.test_cuda_compilers import run

PLANTED = ("a comparison", "a constant", "a barrier that is left out")
pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")


def test_rounding_and_steps(tmp_path: pathlib.Path) -> None:
    done = run("tests.emulated.numba_kernels", str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "step, 10 underdamped cases agree" in done.stdout


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_error_is_seen(name: str, tmp_path: pathlib.Path) -> None:
    done = run("tests.emulated.numba_kernels", str(tmp_path), name)
    assert done.returncode != 0
    assert "differ" in done.stderr


def test_matrix_products(tmp_path: pathlib.Path) -> None:
    done = run("tests.emulated.numba_engines", str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    assert "chain cases agree" in done.stdout
