"""Law: on a GPU every case of the benchmark gives the CPU's bits. Its kernels are compiled here,
side by side, and kept on disk, so that the benchmark's time goes to measuring. Skipped where no GPU
is.
"""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is missing; install the extra torch")

import numformats as nf  # noqa: E402
from benchmarks.gpu_cases import CASES, PRODUCTS, run  # noqa: E402
from tests.inputs import assert_same_bits  # noqa: E402
from tests.test_gpu import CUDA, to_host  # noqa: E402

pytestmark = pytest.mark.skipif(not CUDA, reason="no CUDA device: see numformats backends")


def assert_same(got: Any, wanted: Any) -> None:
    if isinstance(wanted, tuple):
        for a, b in zip(got, wanted, strict=True):
            assert_same(a, b)
    elif isinstance(wanted, torch.Tensor):
        assert_same_bits(to_host(got), to_host(wanted))
    else:
        assert got == wanted


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}, {case[1]}")
@pytest.mark.parametrize("backend", CUDA)
def test_a_case(backend: str, case: Any) -> None:
    fmt, rounding, _ = case
    x = torch.randn(1 << 12, generator=torch.Generator().manual_seed(1)) * 4
    wanted = run(x, fmt, rounding, torch.zeros_like(x), "reference")
    there = x.cuda()
    assert_same(run(there, fmt, rounding, torch.zeros_like(there), backend), wanted)


@pytest.mark.parametrize("product", PRODUCTS, ids=str)
@pytest.mark.parametrize("backend", CUDA)
def test_a_product(backend: str, product: tuple[str, str, str]) -> None:
    chip, inputs, path = product
    engine = nf.engine(chip, inputs=inputs, path=path)
    a, b = (nf.quantize(torch.randn(64, 64), inputs) for _ in range(2))
    wanted = nf.matmul(a, b, engine=engine, backend="reference")
    assert_same(nf.matmul(a.cuda(), b.cuda(), engine=engine, backend=backend), wanted)
