"""Law: the units of V100, A100, Ada, H100 and B200 give every recorded output bit for bit, and
units with one wrong parameter do not."""

from __future__ import annotations

import pathlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests.engines.inputs import bits
from tests.engines.wrong_units import wrong

SETS = {
    "v100": ("fp16",),
    "a100": ("fp16", "bf16", "tf32"),
    "ada": ("fp16", "bf16", "tf32", "e4m3", "e5m2"),
    "h100": ("fp16", "bf16", "tf32", "e4m3", "e5m2"),
    "b200": ("fp16", "bf16", "tf32", "e4m3", "e5m2"),
}
WITH_FP16 = ("fp16", "e4m3", "e5m2")
CASES = [
    (gpu, inputs, output)
    for gpu, sets in SETS.items()
    for inputs in sets
    for output in ("fp32", "fp16")
    if output == "fp32" or inputs in WITH_FP16
]


def recorded(folder: pathlib.Path, gpu: str, inputs: str, output: str) -> tuple[Any, ...]:
    """a (rows, 1, K), b (rows, K, 1), c (rows, 1, 1) and the bits of the results as float32."""
    path = folder / "silicon" / f"{gpu}_{inputs}.npz"
    if not path.is_file():
        pytest.skip(f"no file {path}")
    with np.load(path) as data:
        a, b, c = (data[name].view(np.float32) for name in ("a", "b", "c"))
        wanted = data[f"d_{output}"]
    if output == "fp16":
        c = c.astype(np.float16)  # as it was for the recording
    if is_wgmma(gpu, inputs, output):
        c = np.zeros_like(c)  # recorded without c
    return a[:, None, :], b[:, :, None], c[:, None, None], wanted


def is_wgmma(gpu: str, inputs: str, output: str) -> bool:
    return gpu == "h100" and inputs in ("e4m3", "e5m2") and output == "fp32"


def unit_of(gpu: str, inputs: str, output: str) -> Any:
    path = "wgmma" if is_wgmma(gpu, inputs, output) else "mma"
    return nf.engine(f"nvidia-{gpu}", inputs=inputs, output=output, path=path)


def misses(engine: Any, rows: tuple[Any, ...], backend: str = "auto") -> int:
    """How many recorded outputs an engine does not give."""
    a, b, c, wanted = rows
    got = nf.matmul(a, b, c, engine=engine, backend=backend).astype(np.float32).reshape(-1)
    return int(np.count_nonzero(bits(got) != wanted))


@pytest.mark.parametrize("backend", ["numba_cpu", "reference"])
@pytest.mark.parametrize("gpu, inputs, output", CASES)
def test_every_recorded_output(
    gpu: str, inputs: str, output: str, backend: str, data_folder: pathlib.Path
) -> None:
    a, b, c, wanted = recorded(data_folder, gpu, inputs, output)
    some = slice(None) if backend == "numba_cpu" else slice(0, 100)  # slow, a batch at a time
    rows = (a[some], b[some], c[some], wanted[some])
    assert len(rows[3]) >= 100
    assert misses(unit_of(gpu, inputs, output), rows, backend) == 0


NATIVE = [
    case for case in CASES if case[2] == "fp32" and not (case[0] == "b200" and case[1][0] == "e")
]


CHANGES = ("frac_bits -1", "frac_bits +1", "half the length", "nearest_even")


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("gpu, inputs, output", NATIVE)
def test_wrong_parameters_miss_outputs(
    gpu: str, inputs: str, output: str, change: str, data_folder: pathlib.Path
) -> None:
    rows = recorded(data_folder, gpu, inputs, output)
    engines = wrong(unit_of(gpu, inputs, output), rows[0].shape[2])
    assert misses(engines[change], rows) > 0


@pytest.mark.parametrize("gpu, output", [("h100", "fp16"), ("b200", "fp32"), ("b200", "fp16")])
@pytest.mark.parametrize("inputs", ["e4m3", "e5m2"])
def test_fp8_of_mma_sync_is_not_the_native_path(
    gpu: str, inputs: str, output: str, data_folder: pathlib.Path
) -> None:
    path = "wgmma" if gpu == "h100" else "tcgen05"
    native = nf.engine(f"nvidia-{gpu}", inputs=inputs, output=output, path=path)
    assert misses(native, recorded(data_folder, gpu, inputs, output)) > 100


@pytest.mark.parametrize("gpu, output", [("h100", "fp16"), ("b200", "fp32"), ("b200", "fp16")])
@pytest.mark.parametrize("inputs", ["e4m3", "e5m2"])
@pytest.mark.parametrize("chunk", [16, 64])
def test_wrong_chunks_of_mma_sync_miss_outputs(
    gpu: str, inputs: str, output: str, chunk: int, data_folder: pathlib.Path
) -> None:
    """Chunks of 64 are the right ones here (rows have 32 products), chunks of 16 are not."""
    engine = replace(unit_of(gpu, inputs, output), chunk=chunk)
    assert (misses(engine, recorded(data_folder, gpu, inputs, output)) > 0) == (chunk == 16)
