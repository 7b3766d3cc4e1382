"""Law: on a GPU both CUDA backends multiply matrices with the CPU's bits, for every unit, chain and
integer engine, on the caller's stream. Skipped where no GPU is.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.engines import device_results
from numformats.engines.stripes import Size
from tests.engines import test_exact, test_mac
from tests.engines.inputs import assert_equal_bits, operands
from tests.engines.test_backends import DISTINCT, label
from tests.inputs import DTYPES
from tests.test_gpu import CUDA, compile_together, to_device, to_host

pytestmark = pytest.mark.skipif(not CUDA, reason="no CUDA device: see numformats backends")
Case = tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]


def cases() -> list[Case]:
    """Name, operands, scales and the rest of the arguments."""
    found: list[Case] = []
    for unit in DISTINCT:
        a, b, c, *scales = operands(unit, 70, 45, 192 if unit.scale else 205, 21)
        names = dict(zip(("scale_a", "scale_b"), scales, strict=False))
        found.append((label(unit), (a, b, c), names, {"engine": unit.engine}))
    for name, chain in test_mac.ENGINES.items():
        for mode in ("nearest_even", "stochastic"):
            engine = replace(chain, rounding=mode)
            how = {"engine": engine, "key": nf.Key(7, 3)}
            found.append((f"{name}, {mode}", test_mac.case(engine, 33, 34, 50), {}, how))
    for name, integers in test_exact.INTEGER.items():
        found.append((name, test_exact.integer_case(integers)[:3], {}, {"engine": integers}))
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((3, 1, 5, 36)), rng.standard_normal((2, 36, 7))
    half = (a.astype(np.float16), b.astype(np.float16), np.float32(rng.standard_normal((2, 1, 7))))
    found.append(("batches", half, {}, {"engine": nf.engine("nvidia-h100", inputs="fp16")}))
    return found


def widened(x: Any) -> np.ndarray:
    """On the host; bfloat16, which NumPy's results lack, as float32."""
    host = to_host(x)
    if host.dtype != DTYPES["bfloat16"]:
        return host
    return (host.view(np.uint16).astype(np.uint32) << 16).view(np.float32)


PARTS = 12  # that run side by side


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("backend", CUDA)
def test_every_engine(backend: str, part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen_cases = cases()[part::PARTS]

    def run(chosen: str) -> list[Any]:
        found = []
        for _, arrays, scales, how in chosen_cases:
            given = map(to_device, arrays)
            names = {name: to_device(x) for name, x in scales.items()}
            found.append(nf.matmul(*given, backend=chosen, **names, **how))
        return found

    if backend == "cupy_cuda":
        compile_together(run, monkeypatch)
    for (name, arrays, scales, how), got in zip(chosen_cases, run(backend), strict=True):
        with np.errstate(all="ignore"):
            wanted = nf.matmul(*arrays, **scales, **how, backend="reference")
        try:
            assert_equal_bits(widened(got), wanted)
        except AssertionError as error:
            raise AssertionError(f"{name}: {error}") from None


@pytest.mark.parametrize("backend", CUDA)
@pytest.mark.parametrize("kind", ["cupy", "torch", "numba"])
def test_every_kind_of_array(kind: str, backend: str) -> None:
    import cupy
    from numba import cuda

    engine = nf.engine("nvidia-h100", inputs="fp16")
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(s).astype(np.float16) for s in ((33, 50), (50, 65)))
    make = {"cupy": cupy.asarray, "torch": to_device, "numba": cuda.to_device}[kind]
    back = {"cupy": cupy.asnumpy, "torch": to_host, "numba": lambda x: x.copy_to_host()}[kind]
    wanted = nf.matmul(a, b, engine=engine, backend="reference")
    given = make(a), make(b)
    got = nf.matmul(*given, engine=engine, backend=backend)
    assert type(got) is type(given[0])
    assert_equal_bits(back(got), wanted)
    out = make(np.zeros_like(wanted))
    assert nf.matmul(*given, engine=engine, backend=backend, out=out) is out
    assert_equal_bits(back(out), wanted)
    if kind != "numba":
        transposed = make(np.ascontiguousarray(b.T)).T
        assert_equal_bits(back(nf.matmul(given[0], transposed, engine=engine)), wanted)
    bad = make(np.float32([[1 + 2.0**-20]]))
    with pytest.raises(ValueError, match=r"a\[0, 0\] = 1\.00000095.* is no value of fp16"):
        nf.matmul(bad, bad, engine=engine, backend=backend)


@pytest.mark.parametrize("backend", CUDA)
def test_stripes_of_strided_operands(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In rows and in batches, into a strided result and into an operand."""
    engine = nf.engine("nvidia-h100", inputs="fp16")
    rng = np.random.default_rng(4)
    a, b = (rng.standard_normal((3, 40, 2, 36)).astype(np.float16) for _ in range(2))
    on_host = a.transpose(2, 0, 1, 3), b.transpose(2, 0, 3, 1)
    wanted = nf.matmul(*on_host, engine=engine, backend="reference")
    given = to_device(a).permute(2, 0, 1, 3), to_device(b).permute(2, 0, 3, 1)
    for size in (Size(400, 8), Size(5000, 64)):
        monkeypatch.setattr(device_results, "SIZE", size)
        out = to_device(np.zeros((*wanted.shape[:-1], 80), np.float32))[..., ::2]
        assert nf.matmul(*given, engine=engine, out=out, backend=backend) is out
        assert_equal_bits(np.ascontiguousarray(to_host(out)), wanted)
    square = np.float32(rng.standard_normal((40, 40)).astype(np.float16))
    expected = nf.matmul(square, square, engine=engine, backend="reference")
    whole = to_device(square)
    nf.matmul(whole, whole, engine=engine, out=whole, backend=backend)
    assert_equal_bits(to_host(whole), expected)


@pytest.mark.parametrize("backend", CUDA)
def test_on_the_callers_stream(backend: str) -> None:
    """A long kernel before it on the same stream: its result is what is multiplied."""
    import torch

    engine, stream = nf.engine("nvidia-h100", inputs="bf16"), torch.cuda.Stream()
    a = torch.randn(2048, 2048, device="cuda")
    torch.cuda.synchronize()
    with torch.cuda.stream(stream):
        b = a
        for _ in range(20):
            b = b @ a / 64
        narrow = b[:64].bfloat16()
        got = nf.matmul(narrow, narrow.T, engine=engine, backend=backend)
    stream.synchronize()
    x = to_host(narrow).astype(np.float32)
    assert_equal_bits(to_host(got), nf.matmul(x, x.T, engine=engine, backend="reference"))
