"""Law: arrays on devices are taken and given as what they are, without copies; seen on memory that
only claims to be a device's, with the CUDA kernels built for the host.
"""

from __future__ import annotations

import pathlib
import re
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import numformats as nf
from numformats import (
    device_libraries,
    device_places,
    device_reals,
    device_steps,
    device_verbs,
)
from numformats.backends.cuda_tasks import CudaTasks
from numformats.device import enough_memory
from numformats.device_libraries import Library
from tests.host_cuda import HostMachine
from tests.inputs import DTYPES, assert_same_bits
from tests.underdamped import STEPS, assert_same_step, given_for

REGISTRY = sys.modules["numformats.backends"]
NAME = "host_cuda"


class Claimed(np.ndarray):
    """Host memory with the interface of a device array."""

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return dict(self.__array_interface__)


class OutOfMemoryError(RuntimeError):
    """Named as CuPy's and torch's are."""


class ClaimedLibrary(Library):
    """Reads and makes them; counts its copies."""

    copies = 0
    full = False

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

    def made(self, shape: tuple[int, ...], dtype: str, x: Any) -> Any:
        if ClaimedLibrary.full:
            raise OutOfMemoryError("cudaMalloc failed")
        return np.full(shape, 99, x.dtype if dtype == x.dtype.name else dtype).view(Claimed)

    def zeros(self, n: int, x: Any) -> Any:
        return np.zeros(n, np.int64).view(Claimed)

    def to_host(self, x: Any) -> Any:
        return np.array(x.view(np.uint16) if x.dtype == DTYPES["bfloat16"] else x)

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
    for module in (device_verbs, device_reals, device_steps, device_places):
        monkeypatch.setattr(module, "library", lambda x: (ClaimedLibrary(), x))
    REGISTRY.selected.cache_clear()
    ClaimedLibrary.copies = 0
    yield
    REGISTRY.selected.cache_clear()


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read from the device, so that nothing waits for it."""

    def read(machine: Any, array: Any) -> Any:
        raise AssertionError("waited for the device")

    monkeypatch.setattr(HostMachine, "read", read)


def sample(shape: Any = (6, 64), dtype: Any = np.float32) -> Any:
    return np.random.default_rng(3).normal(size=shape).astype(dtype).view(Claimed)


@pytest.mark.parametrize("carrier", DTYPES)
@pytest.mark.parametrize("name", ["e4m3", "mxfp4", "bfp<8,block=5>", "nvfp4"])
def test_same_bits_as_on_the_host(name: str, carrier: str) -> None:
    x = sample(dtype=DTYPES[carrier])
    for mode, key in (("nearest_even", None), ("stochastic", 4)):
        got = nf.quantize(x, name, mode, key=key, backend=NAME)
        assert isinstance(got, Claimed)
        assert_same_bits(got, nf.quantize(np.asarray(x), name, mode, key=key))
    got, wanted = nf.encode(x, name, backend=NAME), nf.encode(np.asarray(x), name)
    pairs = zip(got[:2], wanted[:2], strict=True) if name != "e4m3" else [(got, wanted)]
    for a, b in pairs:
        assert isinstance(a, Claimed)
        assert_same_bits(a, b)
    assert name == "e4m3" or (type(got) is type(wanted) and got[2:] == wanted[2:])
    for dtype in (np.float32, np.float64):
        values = nf.decode(got, name, dtype=dtype, backend=NAME)
        assert isinstance(values, Claimed)
        assert_same_bits(values, nf.decode(wanted, name, dtype=dtype))
    assert ClaimedLibrary.copies == 0


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("carrier", DTYPES)
def test_a_given_scale_of_the_array(axis: int, carrier: str, monkeypatch: Any) -> None:
    """As on the host; nothing is read back, which would wait for the device."""
    fmt, how = replace(nf.NVFP4, axis=axis), {"tensor_scale": 0.003}
    x = sample((32, 64), DTYPES[carrier])
    values, wanted = nf.quantize(np.asarray(x), fmt, **how), nf.encode(np.asarray(x), fmt, **how)

    def refuse(self: Any, array: Any) -> Any:
        raise AssertionError("something was read back")

    monkeypatch.setattr(HostMachine, "read", refuse)
    assert_same_bits(nf.quantize(x, fmt, backend=NAME, **how), values)
    got = nf.encode(x, fmt, backend=NAME, **how)
    assert_same_bits(got.codes, wanted.codes)
    assert_same_bits(got.scales, wanted.scales)
    assert got.tensor_scale == wanted.tensor_scale


@pytest.mark.parametrize("fmt", ["e4m3", "mxfp8_e4m3", "bfp<8,block=5>", "nvfp4"])
@pytest.mark.parametrize("carrier", DTYPES)
def test_draws(carrier: str, fmt: str) -> None:
    x = sample(dtype=DTYPES[carrier])
    plain = np.asarray(x)
    for variance in (0.02, np.abs(plain).astype(np.float64)):
        given = variance if np.isscalar(variance) else variance.view(Claimed)
        got = nf.variance_corrected(x, given, fmt, key=3, return_counts=True, backend=NAME)
        wanted = nf.variance_corrected(plain, variance, fmt, key=3, return_counts=True)
        assert_same_bits(got[0], wanted[0])
        assert got[1] == wanted[1]
    drawn = nf.variance_corrected(x, 0.02, fmt, key=3, backend=NAME)
    assert_same_bits(drawn, nf.variance_corrected(plain, 0.02, fmt, key=3))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("accumulator", ["full", "low", "variance_corrected"])
@pytest.mark.usefixtures("unread")
def test_langevin_steps(accumulator: str, inplace: bool) -> None:
    theta, grad = sample((6, 64)), sample((6, 64))[::-1].copy().view(Claimed)
    how = {"lr": 0.1, "variance": 0.01, "key": 7, "weight": "fixed<8,6>", "gradient": "e5m2"}
    how["accumulator"] = accumulator
    wanted = nf.langevin_step(np.array(theta), np.array(grad), **how)
    got = nf.langevin_step(theta, grad, inplace=inplace, backend=NAME, **how)
    assert (got.stored is theta) == inplace
    for a, b in zip(got[:2], wanted[:2], strict=True):
        assert isinstance(a, Claimed)
        assert_same_bits(a, b)
    assert all(isinstance(n, np.int64) for n in got[2:])  # of the device's own array
    assert got[2:] == wanted[2:]


@pytest.mark.parametrize("layout", ["plain", "columns", "on grad"])
def test_a_weight_goes_where_it_is_wanted(layout: str) -> None:
    theta, grad = sample((6, 64)), sample((6, 64))[::-1].copy().view(Claimed)
    how = {"lr": 0.1, "variance": 0.01, "key": 7, "weight": "fixed<8,6>"}
    wanted = nf.langevin_step(np.array(theta), np.array(grad), **how)
    out = {"columns": sample((64, 6)).T, "on grad": grad}.get(layout, sample((6, 64)))
    got = nf.langevin_step(theta, grad, inplace=True, out=out, backend=NAME, **how)
    assert (got.stored is theta, got.seen is out) == (True, True)
    for a, b in zip(got[:2], wanted[:2], strict=True):
        assert_same_bits(np.ascontiguousarray(a), b)
    with pytest.raises(ValueError, match=r"out does not match x: shape \(2,\)"):
        nf.langevin_step(theta, grad, out=sample((2,)), backend=NAME, **how)


def test_langevin_steps_refuse_what_does_not_match() -> None:
    how = {"lr": 0.1, "variance": 0.0, "key": 7, "backend": NAME}
    other = sample()
    other.place = 1
    with pytest.raises(ValueError, match="grad is on device 1, theta on device 0"):
        nf.langevin_step(sample(), other, **how)
    with pytest.raises(ValueError, match="grad is on the host, theta on a CUDA device"):
        nf.langevin_step(sample(), np.array(sample()), **how)
    with pytest.raises(ValueError, match=r"grad has shape \(2,\)"):
        nf.langevin_step(sample(), sample((2,)), **how)
    with pytest.raises(TypeError, match="grad has dtype float64"):
        nf.langevin_step(sample(), sample(dtype=np.float64), **how)
    with pytest.raises(ValueError, match="not C contiguous"):
        nf.langevin_step(sample().T, sample((64, 6)), inplace=True, **how)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.usefixtures("unread")
def test_underdamped_steps(step: str) -> None:
    how, plain = STEPS[step], [a.reshape(6, 64) for a in given_for(384)]
    given = [a.copy().view(Claimed) for a in plain]
    got = nf.underdamped_step(*given, backend=NAME, **how)
    assert all(isinstance(a, Claimed) for a in got[:3])
    assert (got.seen is got.stored) == (how["accumulator"] != "full" or not how["weight"])
    assert_same_step(got, nf.underdamped_step(*plain, **how))
    assert ClaimedLibrary.copies == 0
    for a, b in zip(given, plain, strict=True):
        assert_same_bits(a, b)  # untouched
    given[1] = np.asfortranarray(plain[1]).view(Claimed)
    assert_same_step(nf.underdamped_step(*given, backend=NAME, **how), got)
    assert ClaimedLibrary.copies == 1
    nothing = nf.underdamped_step(*(a[:0] for a in given), backend=NAME, **how)
    assert nothing.velocity.shape == (0, 64)
    assert nothing[3:] == (1.0, 0, 0)


@pytest.mark.parametrize("name", ["velocity", "grad"])
def test_underdamped_steps_refuse_what_does_not_match(name: str) -> None:
    def refuse(given: Any, error: type[Exception], words: str) -> None:
        arrays = {"theta": sample(), "velocity": sample(), "grad": sample()} | {name: given}
        with pytest.raises(error, match=words):
            nf.underdamped_step(**arrays, backend=NAME, **STEPS["low, fixed"])

    other = sample()
    other.place = 1
    refuse(other, ValueError, f"{name} is on device 1, theta on device 0")
    refuse(sample((2,)), ValueError, rf"{name} has shape \(2,\), theta \(6, 64\)")
    refuse(sample(dtype=np.float64), TypeError, f"{name} has dtype float64")
    refuse(np.array(sample()), ValueError, f"{name} is on the host, theta on a CUDA device")


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


def test_arrays_on_different_devices_are_refused() -> None:
    other = sample()
    other.place = 1
    with pytest.raises(ValueError, match="device 1 instead of 0"):
        nf.quantize(sample(), "e4m3", backend=NAME, out=other)
    with pytest.raises(TypeError, match="variance is True; give a number"):
        nf.variance_corrected(sample(), True, "e4m3", key=1, backend=NAME)
    with pytest.raises(ValueError, match="variance is on device 1, mean on device 0"):
        nf.variance_corrected(sample(), other, "e4m3", key=1, backend=NAME)
    codes = nf.encode(sample(), "mxfp4", backend=NAME)
    codes.scales.place = 1
    with pytest.raises(ValueError, match="codes and scales lie on different devices"):
        nf.decode(codes, "mxfp4", backend=NAME)


@pytest.mark.parametrize("fmt", ["e4m3", "nvfp4"])
def test_a_full_device_is_named_before_anything_is_computed(
    fmt: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = sample()
    before = np.array(x)
    monkeypatch.setattr(ClaimedLibrary, "full", True)
    with pytest.raises(MemoryError, match=r"no room for an array of shape \(6, 64\).*Free memory"):
        nf.quantize(x, fmt, backend=NAME)
    np.testing.assert_array_equal(np.asarray(x), before)
    assert nf.quantize(x, "e4m3", backend=NAME, out=x) is x  # which needs no room


def test_other_errors_are_not_called_a_full_device() -> None:
    with pytest.raises(KeyError, match="lost"), enough_memory("anything"):
        raise KeyError("lost")


def test_random_numbers_where_an_array_lies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_libraries, "library", lambda x: (ClaimedLibrary(), x))
    key = nf.Key(3, start=5)
    for bits in (32, 64):
        got = nf.random.words(11, key, bits=bits, like=sample(), backend=NAME)
        assert isinstance(got, Claimed)
        assert_same_bits(got, nf.random.words(11, key, bits=bits))
    for dtype in (np.float32, np.float64):
        got = nf.random.normal((3, 7), key, dtype, like=sample(), backend=NAME)
        assert isinstance(got, Claimed)
        assert_same_bits(got, nf.random.normal((3, 7), key, dtype))
    assert nf.random.normal((0, 7), key, like=sample(), backend=NAME).shape == (0, 7)


def test_codes_that_are_no_integers_are_refused() -> None:
    with pytest.raises(TypeError, match="codes have dtype float32"):
        nf.decode(sample(), "e4m3", backend=NAME)


def test_nan_where_the_format_has_none() -> None:
    x = sample()
    x[2, 3] = np.nan
    with pytest.raises(ValueError, match=r"x holds NaN, and e2m1 has no code for it"):
        nf.encode(x, "e2m1", backend=NAME)


def test_every_probe_says_why() -> None:
    for name, found in nf.backends().items():
        assert found.available or found.reason, name


@pytest.mark.parametrize("package", ["cupy", "numba_cuda"])
def test_a_package_that_does_not_load_takes_no_other_backend_along(
    package: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / f"{package}.py").write_text("import numpy\nnumpy.no_such_name")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, package, raising=False)
    found = nf.backends()
    assert found["reference"].available
    name = {"cupy": "cupy_cuda"}.get(package, package)
    assert re.match(r"it does not load \(AttributeError.*no_such_name.*cuda13", found[name].reason)


def test_a_compiler_that_is_not_there_takes_no_other_backend_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """numba-cuda looks for libNVVM where it has found a driver, and raises."""
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    from numba import cuda

    def is_available() -> bool:
        raise RuntimeError('Failure finding "libnvvm.so"')

    monkeypatch.setattr(cuda, "is_available", is_available)
    assert re.search(r"libnvvm.*pip install .*cuda13", nf.backends()["numba_cuda"].reason)


def test_unknown_libraries_are_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "cupy", raising=False)
    with pytest.raises(TypeError, match="import cupy first"):
        device_libraries.library(SimpleNamespace(__cuda_array_interface__={}))


def test_bfloat16_is_known_by_name() -> None:
    assert ClaimedLibrary().dtype(sample(dtype=ml_dtypes.bfloat16)) == "bfloat16"


@pytest.mark.parametrize("carrier", ["float16", "bfloat16"])
def test_half_width_results_do_not_pass_through_the_librarys_conversion(
    carrier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries on a GPU make 0x7fff of every NaN there."""
    plain = Library.astype

    def astype(self: Any, x: Any, dtype: str) -> Any:
        made = plain(self, x, dtype)
        if made.dtype.itemsize == 2:
            made.view(np.uint16)[np.isnan(np.asarray(made, np.float32))] = 0x7FFF
        return made

    monkeypatch.setattr(Library, "astype", astype)
    x = sample(dtype=DTYPES[carrier])
    x[1, 5], x[3, 40] = np.nan, np.inf
    x[5] = DTYPES[carrier](1e-7) if carrier == "float16" else 1e-40
    for fmt in ("nvfp4", "bfp<8,block=5>"):
        got = nf.quantize(x, fmt, backend=NAME)
        assert_same_bits(got, nf.quantize(np.asarray(x), fmt))
        got = nf.variance_corrected(x, 0.01, fmt, key=1, backend=NAME)
        assert_same_bits(got, nf.variance_corrected(np.asarray(x), 0.01, fmt, key=1))
