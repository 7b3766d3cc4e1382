"""Law: the published test vector, whose exact answer is -0.875, tells the units apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import numformats as nf

A, B, C = (-8192.0, -0.5, -0.25, -0.125), (1024.0, 1.0, 1.0, 1.0), 2.0**23
GOLDEN = [
    ("nvidia-h100", "fp64", None, "fp64", -0.875),
    ("nvidia-v100", "fp16", "mma", "fp32", 0.0),
    ("nvidia-t4", "fp16", "mma", "fp32", -0.5),
    ("nvidia-a100", "fp16", "mma", "fp32", -0.5),
    ("nvidia-a100", "tf32", "mma", "fp32", -0.5),
    ("nvidia-a100", "bf16", "mma", "fp32", -0.5),
    ("nvidia-ada", "fp16", "mma", "fp32", -0.5),
    ("nvidia-ada", "e5m2", "mma", "fp32", 0.0),
    ("nvidia-h100", "fp16", "wgmma", "fp32", -0.75),
    ("nvidia-h100", "bf16", "wgmma", "fp32", -0.75),
    ("nvidia-h100", "tf32", "wgmma", "fp32", -0.75),
    ("nvidia-h100", "e5m2", "wgmma", "fp32", 0.0),
    ("nvidia-b200", "e5m2", "tcgen05", "fp32", -0.75),
    ("nvidia-rtx-blackwell", "e5m2", "mma", "fp32", -0.75),
    ("amd-mi100", "fp16", "mfma", "fp32", -0.875),
    ("amd-mi100", "bf16", "mfma", "fp32", -0.875),
    ("amd-mi250", "bf16", "mfma", "fp32", -0.375),
    ("amd-mi250", "bf16", "mfma_1k", "fp32", 0.0),
    ("amd-mi250", "fp16", "mfma", "fp32", 0.0),
    ("amd-mi300", "fp16", "mfma", "fp32", -0.5),
    ("amd-mi300", "bf16", "mfma", "fp32", -0.5),
    ("amd-mi300", "e5m2fnuz", "mfma", "fp32", -1.0),
]


def vector(sign: float = 1.0, dtype: Any = np.float32) -> tuple[Any, Any, Any]:
    a = np.array([A], dtype) * dtype(sign)
    return a, np.array([B], dtype).T.copy(), np.array([[C]], dtype) * dtype(sign)


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("chip, inputs, path, output, wanted", GOLDEN)
def test_published_result(
    chip: str, inputs: str, path: str | None, output: str, wanted: float, backend: str
) -> None:
    engine = nf.engine(chip, inputs=inputs, path=path, output=output)
    a, b, c = vector(dtype=np.float64 if inputs == "fp64" else np.float32)
    assert nf.matmul(a, b, c, engine=engine, backend=backend).item() == wanted


@pytest.mark.parametrize("chip, family", [("b200", "tcgen05"), ("rtx-blackwell", "mma")])
@pytest.mark.parametrize(
    "kind, scale, block",
    [
        ("mxf4", "e8m0", 32),
        ("mxf4nvf4", "e8m0", 32),
        ("mxf4nvf4", "e8m0", 16),
        ("mxf4nvf4", "e4m3", 16),
    ],
)
def test_published_result_of_scaled_groups(
    kind: str, scale: str, block: int, chip: str, family: str
) -> None:
    """The factors that E2M1 lacks come from scales: each term is in a group of its own."""
    engine = nf.engine(
        f"nvidia-{chip}", inputs="e2m1", path=f"{family}.{kind}", scale=scale, scale_block=block
    )
    k, count = 64, 64 // block
    a, b = np.zeros((1, k), np.float32), np.zeros((k, 1), np.float32)
    scale_a, scale_b = np.ones((1, count), np.float32), np.ones((count, 1), np.float32)
    a[0, :8], b[:8, 0], scale_a[0, 0], scale_b[0, 0] = -4.0, 4.0, 256.0, 256.0  # -2**23
    a[0, block : block + 3], b[block : block + 3, 0] = (-1.0, -0.5, -0.5), (1.0, 1.0, 0.5)
    scale_a[0, 1] = 0.5
    given = {"scale_a": scale_a, "scale_b": scale_b}
    assert nf.matmul(a, b, np.float32([[C]]), engine=engine, **given).item() == -0.875


def test_unit_scales_change_nothing() -> None:
    engine = nf.engine("nvidia-b200", inputs="e5m2", path="tcgen05.mxf8f6f4", scale="e8m0")
    one = np.ones((1, 1), np.float32)
    assert nf.matmul(*vector(), engine=engine, scale_a=one, scale_b=one).item() == -0.75
