"""Law: ``matmul`` takes device arrays as what they are and gives the host's bits; seen on memory
that only claims to be a device's, with the CUDA kernels built for the host.
"""

from __future__ import annotations

import pathlib
import sys
from dataclasses import replace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import numformats as nf
from numformats import device_places
from numformats.backends.cuda_tasks import CudaTasks
from numformats.device import DeviceArray
from numformats.engines import IntegerDot, MACChain, device_arrays, laying
from numformats.engines.job import numbers
from tests.engines import test_exact, test_mac
from tests.engines.inputs import assert_equal_bits, operands
from tests.engines.test_backends import DISTINCT, label
from tests.host_cuda import HostMachine
from tests.test_device_arrays import Claimed, ClaimedLibrary

REGISTRY = sys.modules["numformats.backends"]
NAME = "host_cuda"


class ClaimedMachine(HostMachine):
    """Its scratch memory claims to be a device's too."""

    def empty(self, shape: Any, dtype: Any, like: Any) -> DeviceArray:
        return claimed_memory(np.full(shape, 99, dtype))

    def zeros(self, shape: Any, dtype: Any, like: Any) -> DeviceArray:
        return claimed_memory(np.zeros(shape, dtype))

    def read(self, array: Any) -> Any:
        return array.owner


def claimed_memory(x: np.ndarray) -> DeviceArray:
    return DeviceArray(x.ctypes.data, x.size, x.dtype, 0, 0, x, x.shape)


@pytest.fixture(autouse=True)
def claimed(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.getbasetemp() / "claimed_matrices"
    folder.mkdir(exist_ok=True)
    available = REGISTRY.Availability(True, "")
    monkeypatch.setitem(REGISTRY._BACKENDS, NAME, REGISTRY.Backend("cuda", lambda: available))
    tasks = CudaTasks(ClaimedMachine(pathlib.Path(folder)))
    monkeypatch.setitem(sys.modules, f"numformats.backends.{NAME}", tasks)
    for module in (device_arrays, laying, device_places):
        monkeypatch.setattr(module, "library", lambda x: (ClaimedLibrary(), x))
    REGISTRY.selected.cache_clear()
    ClaimedLibrary.copies = 0
    yield
    REGISTRY.selected.cache_clear()


def on_device(x: Any) -> Any:
    return None if x is None else np.array(x).view(Claimed)


def compare(*arrays: Any, **how: Any) -> Any:
    """The result on the device, which has the host's bits."""
    scales = {name: how.pop(name) for name in ("scale_a", "scale_b") if name in how}
    given = {name: on_device(x) for name, x in scales.items()}
    got = nf.matmul(*map(on_device, arrays), backend=NAME, **given, **how)
    with np.errstate(all="ignore"):
        wanted = nf.matmul(*arrays, backend="reference", **scales, **how)
    assert isinstance(got, Claimed)
    assert_equal_bits(np.asarray(got), wanted)
    return got


SOME = {(type(u.engine), u.scale, u.output): u for u in DISTINCT}.values()


@pytest.mark.parametrize("unit", SOME, ids=label)
def test_units(unit: Any) -> None:
    """One of each class, kind of scales and output; ``test_cuda_source`` runs over all."""
    a, b, c, *scales = operands(unit, 9, 14, 64 if unit.scale else 70, 21)
    names = dict(zip(("scale_a", "scale_b"), scales, strict=False))
    compare(a, b, c, engine=unit.engine, **names)
    assert ClaimedLibrary.copies == 0


@pytest.mark.parametrize("name", ["product", "tree", "wrapping", "unsigned times signed"])
def test_chains(name: str) -> None:
    engine = replace(test_mac.ENGINES[name], rounding="stochastic")
    compare(*test_mac.case(engine), engine=engine, key=nf.Key(7, 3, 11))


@pytest.mark.parametrize("dtype", [np.int8, np.int64])
@pytest.mark.parametrize("name", test_exact.INTEGER)
def test_integers(name: str, dtype: Any) -> None:
    engine = test_exact.INTEGER[name]
    a, b, c, wanted = test_exact.integer_case(engine)
    bits = 8 * np.dtype(dtype).itemsize
    if max(engine.a_bits + (not engine.a_signed), engine.b_bits) <= bits:
        a, b = a.astype(dtype), b.astype(dtype)
    np.testing.assert_array_equal(compare(a, b, c, engine=engine), wanted)
    compare(a, b, engine=engine)


CARRIERS = (np.float16, ml_dtypes.bfloat16, np.float32, np.float64)
BROADCAST = [
    ((3, 1, 5, 20), (2, 20, 7), (5, 7)), ((5, 20), (2, 20, 7), (2, 1, 7)),
    ((2, 5, 20), (20, 7), (1, 5, 1)), ((1, 1), (1, 1), (1, 1)), ((4, 3, 1), (4, 1, 6), None),
]  # fmt: skip


@pytest.mark.parametrize("dtype", CARRIERS)
@pytest.mark.parametrize("shapes", BROADCAST, ids=str)
def test_dtypes_and_broadcasting(shapes: Any, dtype: Any) -> None:
    rng = np.random.default_rng(5)
    arrays = [
        None if s is None else nf.quantize(rng.standard_normal(s), "e4m3").astype(dtype)
        for s in shapes
    ]
    for engine in (
        nf.engine("nvidia-h100", inputs="e4m3", path="wgmma"),
        MACChain("e4m3", "e4m3", accumulator="fp16"),
    ):
        compare(*arrays, engine=engine)
    whole = [None if x is None else x.astype(np.float64).astype(np.int8) for x in arrays]
    compare(*whole, engine=IntegerDot())


def test_strides_and_out() -> None:
    rng = np.random.default_rng(6)
    engine = nf.engine("nvidia-h100", inputs="fp16", output="fp16")
    a, b = (rng.standard_normal(s).astype(np.float16) for s in ((20, 5), (7, 20)))
    wanted = nf.matmul(a.T, b.T, engine=engine)
    for dtype in CARRIERS[:1] + CARRIERS[2:]:
        for out in (
            np.empty((5, 7), dtype),
            np.empty((5, 7, 2), dtype)[..., 0],
            np.empty((7, 5), dtype).T,
        ):
            target = out.view(Claimed)
            got = nf.matmul(on_device(a).T, on_device(b).T, engine=engine, backend=NAME, out=target)
            assert got is target
            assert_equal_bits(np.ascontiguousarray(out), wanted.astype(dtype))
    square = rng.standard_normal((6, 6)).astype(np.float32).view(Claimed)
    engine = nf.engine("amd-mi100", inputs="fp32")
    wanted = nf.matmul(np.array(square), np.array(square), engine=engine)
    nf.matmul(square, square, engine=engine, backend=NAME, out=square)
    assert_equal_bits(np.asarray(square), wanted)


@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3), (2, 4, 0)])
def test_nothing_to_add(shape: tuple[int, int, int]) -> None:
    """Without products the result is c, to the bits of its NaN."""
    m, k, n = shape
    engine = nf.engine("nvidia-h100", inputs="fp16")
    c = np.full((m, n), 0x7FA00001, np.uint32).view(np.float32)
    a, b = np.zeros((m, k), np.float16), np.zeros((k, n), np.float16)
    compare(a, b, c, engine=engine)
    compare(a, b, engine=engine)
    compare(a.astype(np.int8), b.astype(np.int8), engine=IntegerDot())
    coarse = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma")  # of its results' format, FP32
    compare(a, b, np.full((m, n), 1 + 2.0**-20), engine=coarse)


H100 = nf.engine("nvidia-h100", inputs="fp16")
FOUR = nf.engine("nvidia-b200", inputs="e2m1", path="tcgen05.mxf4nvf4", scale="e4m3")
MX = nf.engine("nvidia-b200", inputs="e4m3", path="tcgen05.mxf8f6f4", scale="e8m0")
X, ONE = np.float32([[1.5, 1 + 2.0**-12]]), np.ones((2, 1), np.float32)
K64, LEVEL = np.ones((1, 64), np.float32), np.float32([[1, 3]])
REFUSED: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
    "no value, split": ((X, ONE), {"engine": H100}),
    "no value, read": ((X, ONE), {"engine": MACChain("fp16", "fp16", accumulator="fp32")}),
    "no value of c": ((ONE, ONE.T, np.full((2, 2), 1e300)), {"engine": H100}),
    "no value in units": (
        (K64 * 1.25, K64.T),
        {"engine": FOUR, "scale_a": np.ones((1, 4)), "scale_b": np.ones((4, 1))},
    ),
    "no power of two": (
        (K64, K64.T), {"engine": MX, "scale_a": LEVEL, "scale_b": np.ones((2, 1))}
    ),
    "zero as a power": (
        (K64, K64.T), {"engine": MX, "scale_a": LEVEL * 0, "scale_b": np.ones((2, 1))}
    ),
    "no scales": ((K64, K64.T), {"engine": MX}),
    "scales for nothing": ((X, ONE), {"engine": H100, "scale_a": LEVEL}),
    "scales of another shape": (
        (K64, K64.T), {"engine": MX, "scale_a": LEVEL.T, "scale_b": np.ones((2, 1))}
    ),
    "shapes": ((X, X), {"engine": H100}),
    "a key is missing": (
        (X, ONE), {"engine": MACChain("fp32", "fp32", accumulator="fp16", rounding="stochastic")}
    ),
    "integers out of range": ((np.int32([[200]]), np.int32([[1]])), {"engine": IntegerDot()}),
    "unsigned out of range": (
        (np.uint64([[2**64 - 1]]), np.int32([[1]])), {"engine": IntegerDot()}
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refused_as_on_the_host(name: str) -> None:
    arrays, how = REFUSED[name]
    with pytest.raises((ValueError, TypeError)) as wanted:
        nf.matmul(*arrays, **how)
    given = {key: on_device(x) if key.startswith("scale") else x for key, x in how.items()}
    with pytest.raises(type(wanted.value)) as got:
        nf.matmul(*map(on_device, arrays), backend=NAME, **given)
    assert str(got.value) == str(wanted.value)


def elsewhere(x: Any) -> Any:
    found = on_device(x)
    found.place = 1
    return found


A, B = np.ones((2, 3), np.float32).view(Claimed), np.ones((3, 2), np.float32).view(Claimed)
BAD: list[tuple[type[Exception], str, tuple[Any, ...], dict[str, Any]]] = [
    (TypeError, "b is a ndarray in host memory", (A, np.asarray(B)), {}),
    (ValueError, "b is on device 1, a on device 0", (A, elsewhere(B)), {}),
    (TypeError, "a has dtype int64", (A.astype(int), B), {}),
    (TypeError, "a has dtype float32; integer engines", (A, B), {"engine": IntegerDot()}),
    (ValueError, r"out has shape \(3,\)", (A, B), {"out": on_device(np.zeros(3, np.float32))}),
    (ValueError, "was broadcast", (A, B), {"out": np.broadcast_to(A[0, 0], (2, 2)).view(Claimed)}),
    (ValueError, "values of fp32", (A, B), {"out": on_device(np.zeros((2, 2), np.float16))}),
    (ValueError, "host arrays and x is a cuda array", (A, B), {"backend": "numba_cpu"}),
    (ValueError, "no backend for cuda arrays can run here", (A, B), {"backend": "auto"}),
]  # fmt: skip


def test_an_engine_that_works_in_host_memory_is_refused() -> None:
    class HostOnly(type(H100)):  # type: ignore[misc]
        def run(self, job: Any) -> None:
            numbers(job.a, self.a_format, np.float32)

    engine = HostOnly("fp16", "fp16", length=4, frac_bits=24)
    with pytest.raises(ValueError, match="a lies on a CUDA device, and this engine reads it in"):
        nf.matmul(A, B, engine=engine, backend=NAME)


def test_refused_on_the_host() -> None:
    whole = np.ones((1, 1), np.int32)
    with pytest.raises(ValueError, match="b lies on a CUDA device, and no backend here takes it"):
        nf.matmul(np.asarray(A), B, engine=H100)
    with pytest.raises(ValueError, match="Claimed lies on a CUDA device, and this works in host"):
        nf.matmul(whole, on_device(whole), engine=IntegerDot())
    with pytest.raises(ValueError, match="Claimed lies on a CUDA device, and this works in host"):
        nf.requantize(on_device(whole), nf.engines.ShiftRequantize(1))


@pytest.mark.parametrize("kind, message, arrays, how", BAD, ids=lambda v: str(v)[:30])
def test_refused_on_the_device(
    kind: Any, message: str, arrays: Any, how: dict[str, Any], monkeypatch: Any
) -> None:
    if how.get("backend") == "auto":
        monkeypatch.delitem(REGISTRY._BACKENDS, NAME)
    with pytest.raises(kind, match=message):
        nf.matmul(*arrays, **({"engine": H100, "backend": NAME} | how))
