"""Law: arrays on devices are taken and given as what they are, without copies; seen on memory that
only claims to be a device's, with the CUDA kernels built for the host.
"""

from __future__ import annotations

import pathlib
import sys
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import numformats as nf
from numformats import device_libraries, device_verbs
from numformats.backends.cuda_tasks import CudaTasks
from numformats.device_libraries import Library
from tests.host_cuda import HostMachine
from tests.inputs import DTYPES, assert_same_bits

REGISTRY = sys.modules["numformats.backends"]
NAME = "host_cuda"


class Claimed(np.ndarray):
    """Host memory with the interface of a device array."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return dict(self.__array_interface__)


class ClaimedLibrary(Library):
    """Reads and makes them; counts its copies."""

    copies = 0

    def device(self, x: Any) -> int:
        return getattr(x, "place", 0)

    def pointer(self, x: Any) -> int:
        return int(x.ctypes.data)

    def contiguous(self, x: Any) -> bool:
        return bool(x.flags.c_contiguous)

    def compact(self, x: Any) -> Any:
        if not self.contiguous(x):
            ClaimedLibrary.copies += 1
        return np.ascontiguousarray(x).view(Claimed)

    def empty(self, shape: tuple[int, ...], dtype: str, x: Any) -> Any:
        return np.full(shape, 99, x.dtype if dtype == x.dtype.name else dtype).view(Claimed)

    def any_nan(self, x: Any, inf_too: bool) -> bool:
        wide = np.asarray(x, np.float64)
        return bool((~np.isfinite(wide) if inf_too else np.isnan(wide)).any())


@pytest.fixture(autouse=True)
def claimed(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.getbasetemp() / "claimed"
    folder.mkdir(exist_ok=True)
    available = REGISTRY.Availability(True, "")
    backend = REGISTRY.Backend("cuda", lambda: available)
    monkeypatch.setitem(REGISTRY._BACKENDS, NAME, backend)
    tasks = CudaTasks(HostMachine(pathlib.Path(folder)))
    monkeypatch.setitem(sys.modules, f"numformats.backends.{NAME}", tasks)
    monkeypatch.setattr(device_verbs, "library", lambda x: (ClaimedLibrary(), x))
    REGISTRY.select.cache_clear()
    ClaimedLibrary.copies = 0
    yield
    REGISTRY.select.cache_clear()


def sample(shape: Any = (6, 64), dtype: Any = np.float32) -> Any:
    return np.random.default_rng(3).normal(size=shape).astype(dtype).view(Claimed)


@pytest.mark.parametrize("carrier", DTYPES)
@pytest.mark.parametrize("name", ["e4m3", "mxfp4", "bfp<8,block=5>"])
def test_same_bits_as_on_the_host(name: str, carrier: str) -> None:
    x = sample(dtype=DTYPES[carrier])
    for mode, key in (("nearest_even", None), ("stochastic", 4)):
        got = nf.quantize(x, name, mode, key=key, backend=NAME)
        assert isinstance(got, Claimed)
        assert_same_bits(got, nf.quantize(np.asarray(x), name, mode, key=key))
    got, wanted = nf.encode(x, name, backend=NAME), nf.encode(np.asarray(x), name)
    pairs = zip(got, wanted, strict=True) if name != "e4m3" else [(got, wanted)]
    for a, b in pairs:
        assert isinstance(a, Claimed)
        assert_same_bits(a, b)
    assert type(got) is type(wanted) or name == "e4m3"
    assert ClaimedLibrary.copies == 0


@pytest.mark.parametrize("carrier", DTYPES)
def test_draws(carrier: str) -> None:
    x = sample(dtype=DTYPES[carrier])
    plain = np.asarray(x)
    for variance in (0.02, np.abs(plain).astype(np.float64)):
        given = variance if np.isscalar(variance) else variance.view(Claimed)
        got = nf.variance_corrected(x, given, "e4m3", key=3, return_counts=True, backend=NAME)
        wanted = nf.variance_corrected(plain, variance, "e4m3", key=3, return_counts=True)
        assert_same_bits(got[0], wanted[0])
        assert got[1] == wanted[1]
    drawn = nf.variance_corrected(x, 0.02, "e4m3", key=3, backend=NAME)
    assert_same_bits(drawn, nf.variance_corrected(plain, 0.02, "e4m3", key=3))


@pytest.mark.parametrize("view", ["transposed", "every second", "reversed", "empty", "0-d"])
def test_strides_and_shapes(view: str) -> None:
    x = sample()
    x = {
        "transposed": x.T,
        "every second": x[:, ::2],
        "reversed": x[::-1],
        "empty": x[:0],
        "0-d": x[0, 0:1].reshape(()),
    }[view]
    for name in ("e4m3", "mxfp4"):
        wanted = nf.quantize(np.asarray(x), name)
        assert_same_bits(
            nf.quantize(x, name, backend=NAME), np.ascontiguousarray(wanted).reshape(x.shape)
        )
        out = np.zeros((*x.shape, 2), np.float32).view(Claimed)[..., 0]
        assert nf.quantize(x, name, backend=NAME, out=out) is out
        assert_same_bits(np.asarray(out), wanted)


def test_in_place_and_overlapping() -> None:
    x = sample((4096,))
    wanted = nf.quantize(np.asarray(x), "e4m3")
    again = x.copy().view(Claimed)
    assert nf.quantize(again, "e4m3", backend=NAME, out=again) is again
    assert_same_bits(np.asarray(again), wanted)
    both = np.concatenate([x, x[:8]]).view(Claimed)
    nf.quantize(both[:4096], "e4m3", backend=NAME, out=both[8:])
    assert_same_bits(np.asarray(both[8:]), wanted)


BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "integers": ({"x": np.arange(4).view(Claimed)}, TypeError, "dtype int64"),
    "no key": ({"rounding": "stochastic"}, ValueError, "key is missing"),
    "host backend": ({"backend": "numba_cpu"}, ValueError, "host arrays and x is a cuda array"),
    "no device": ({"backend": "auto"}, ValueError, "no backend for cuda arrays can run here"),
    "unknown": ({"backend": "cupy"}, ValueError, "did you mean 'cupy_cuda'"),
    "out of another shape": ({"out": sample((3,))}, ValueError, r"shape \(3,\) instead of"),
    "out of another dtype": ({"out": sample(dtype=float)}, ValueError, "dtype float64 instead"),
    "float scales": ({"fmt": "nvfp4"}, ValueError, "not powers of two"),
    "no such axis": ({"fmt": nf.BlockFloat(nf.E4M3, 4, axis=3)}, ValueError, "axis=3, x has 2"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused_before_anything_is_computed(what: str) -> None:
    change, error, words = BAD[what]
    if what == "no device" and any(nf.backends()[n].available for n in ("cupy_cuda", "numba_cuda")):
        pytest.skip("a CUDA device is here")
    if what == "no device":
        REGISTRY._BACKENDS.pop(NAME)
    given = {"x": sample(), "fmt": "e4m3", "rounding": "nearest_even", "backend": NAME} | change
    x, out = given.pop("x"), given.get("out")
    before = [np.array(a) for a in (x, out) if a is not None]
    with pytest.raises(error, match=words):
        nf.quantize(x, given.pop("fmt"), given.pop("rounding"), **given)
    for was, now in zip(before, (x, out), strict=False):
        np.testing.assert_array_equal(np.asarray(now), was)


def test_out_on_another_device_is_refused() -> None:
    out = sample()
    out.place = 1
    with pytest.raises(ValueError, match="device 1 instead of 0"):
        nf.quantize(sample(), "e4m3", backend=NAME, out=out)


def test_nan_where_the_format_has_none() -> None:
    x = sample()
    x[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"x holds NaN, and e2m1 has no code for it"):
        nf.encode(x, "e2m1", backend=NAME)


def test_every_probe_says_why() -> None:
    for name, found in nf.backends().items():
        assert found.available or found.reason, name


def test_unknown_libraries_are_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(TypeError, match="import cupy first"):
        device_libraries.library(SimpleNamespace(__cuda_array_interface__={}))


def test_bfloat16_is_known_by_name() -> None:
    assert ClaimedLibrary().dtype(sample(dtype=ml_dtypes.bfloat16)) == "bfloat16"
