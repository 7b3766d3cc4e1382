"""The Numba CUDA kernels of matrix products in Numba's simulator, compared with the reference. Run
as a process of its own with NUMBA_ENABLE_CUDASIM=1: ``python -m tests.engines.simulated``, with the
name of an error to plant or without; prints what it compared.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
from dataclasses import replace
from itertools import cycle
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats import device_places
from numformats.backends import (
    numba_cuda,
    numba_cuda_chains,
    numba_cuda_dots,
    numba_cuda_launch,
    numba_cuda_reading,
)
from numformats.device import DeviceArray
from numformats.engines import device_arrays, device_results, laying
from numformats.engines.stripes import Size
from tests.engines import test_exact, test_mac
from tests.engines.inputs import assert_equal_bits, operands
from tests.engines.test_backends import DISTINCT, label, product
from tests.inputs import DTYPES
from tests.test_device_arrays import Claimed, ClaimedLibrary

NAME, CLAIMED = "numba_cuda", "numba_claimed"
PLANTED = {
    "a shift": ("T(T(top) + T(s.align))", "T(T(top) + T(T(s.align) + T(1)))"),
    "a swapped comparison": ("top = maximum(top, I(I(ea", "top = minimum(top, I(I(ea"),
}


def units() -> int:
    for unit in DISTINCT:
        try:
            assert_equal_bits(product(unit, NAME, 4, 5), product(unit, "reference", 4, 5))
        except AssertionError as error:
            raise AssertionError(f"{label(unit)}: {error}") from None
    return len(DISTINCT)


def chains() -> int:
    done = 0
    for name, engine in test_mac.ENGINES.items():
        for mode in ("nearest_even", "stochastic"):
            chain = replace(engine, rounding=mode)
            operands = test_mac.case(chain, 2, 3)
            got, wanted = (test_mac.got(chain, *operands, b) for b in (NAME, "reference"))
            np.testing.assert_array_equal(got, wanted, f"{name}, {mode}")
            done += 1
    return done


def integers() -> int:
    for engine in test_exact.INTEGER.values():
        a, b, c, wanted = test_exact.integer_case(engine)
        got = nf.matmul(a, b, c, engine=engine, backend=NAME)
        np.testing.assert_array_equal(got, wanted)
    return len(test_exact.INTEGER)


def batches() -> int:
    rng = np.random.default_rng(3)
    a, b = rng.standard_normal((2, 1, 2, 20)), rng.standard_normal((2, 20, 3))
    engine = nf.engine("nvidia-h100", inputs="fp16")
    a, b = a.astype(np.float16), b.astype(np.float16)
    got, wanted = (nf.matmul(a, b, engine=engine, backend=n) for n in (NAME, "reference"))
    assert_equal_bits(got, wanted)
    return 4


def in_memory(x: DeviceArray | np.ndarray) -> np.ndarray:
    """What only claims to be a device's, as the simulator takes it."""
    if not isinstance(x, DeviceArray):
        return x.reshape(-1)
    size = x.size * np.dtype(x.dtype).itemsize
    return np.frombuffer((ctypes.c_uint8 * size).from_address(x.pointer), x.dtype)


def wrapped(made: Any, like: Any) -> DeviceArray:
    x = made.__array__()
    return DeviceArray(x.ctypes.data, x.size, x.dtype, 0, 0, made, x.shape)


def claim_devices() -> None:
    """The backend ``CLAIMED`` for arrays that claim to lie on a device."""
    registry = sys.modules["numformats.backends"]
    registry._BACKENDS[CLAIMED] = registry.Backend("cuda", registry._BACKENDS[NAME].probe)
    sys.modules[f"numformats.backends.{CLAIMED}"] = numba_cuda
    numba_cuda_launch.wrapped = wrapped
    for module in (numba_cuda_dots, numba_cuda_chains, numba_cuda_reading):
        module.flat = in_memory
    for module in (device_arrays, laying, device_places):
        module.library = lambda x: (ClaimedLibrary(), x)


def some_units() -> list[Any]:
    """One unit of each class, output and kind of scales, with operands and scales."""
    kinds, found = {(type(u.engine), u.scale, u.output): u for u in DISTINCT}, []
    for unit, dtype in zip(kinds.values(), cycle((np.float32, np.float64)), strict=False):
        a, b, c, *scales = operands(unit, 3, 4, 64 if unit.scale else 19, 5)
        kind = np.float64 if unit.a == "fp64" else dtype
        names = dict(zip(("scale_a", "scale_b"), scales, strict=False))
        found.append((unit, (a.astype(kind), b.astype(kind), c), names))
    return found


def devices() -> int:
    """Some units, integers, half-width operands."""
    claim_devices()
    chosen = some_units()
    for unit, given, names in chosen:
        claims = {name: x.view(Claimed) for name, x in names.items()}
        got = nf.matmul(
            *(x.view(Claimed) for x in given), engine=unit.engine, backend=CLAIMED, **claims
        )
        wanted = nf.matmul(*given, engine=unit.engine, backend="reference", **names)
        try:
            assert_equal_bits(np.asarray(got), wanted)
        except AssertionError as error:
            raise AssertionError(f"on a device, {label(unit)}: {error}") from None
    for engine in test_exact.INTEGER.values():
        a, b, c, wanted = test_exact.integer_case(engine)
        given = [x.view(Claimed) for x in (a, b.astype(np.int64), c)]
        got = nf.matmul(*given, engine=engine, backend=CLAIMED)
        np.testing.assert_array_equal(np.asarray(got), wanted)
    halves()
    return len(chosen) + len(test_exact.INTEGER) + stripes()


def stripes() -> int:
    """Stripes of rows and of batches, of strided operands into strided results."""
    rng, done = np.random.default_rng(4), 0
    half = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma", output="fp16")
    chain = nf.engines.MACChain("e4m3", "e4m3", accumulator="bf16", rounding="stochastic")
    for engine in (half, chain, nf.engines.IntegerDot(accumulator_bits=12)):
        a, b, c = (np.round(rng.uniform(-8, 8, (3, n, 2, 9))) for n in (11, 10, 9))
        kind = np.int16 if isinstance(engine, nf.engines.IntegerDot) else np.float16
        arrays = [x.astype(kind).transpose(2, 0, 1, 3) for x in (a, b, c)]
        arrays = [arrays[0], arrays[1][..., :9, ::-1], arrays[2][:, :1, :1]]
        wanted = nf.matmul(*arrays, engine=engine, key=3)
        for size in (Size(20, 4), Size(200, 16)):
            device_results.SIZE = size
            out = np.zeros((*wanted.shape[:-1], 18), wanted.dtype)[..., ::2]
            given = [x.view(Claimed) for x in arrays]
            nf.matmul(*given, engine=engine, key=3, out=out.view(Claimed), backend=CLAIMED)
            assert_equal_bits(np.array(out), wanted)
            done += 1
    return done


def halves() -> None:
    """Half-width operands, c and out; a value that is refused."""
    engine = nf.engine("nvidia-h100", inputs="e4m3", path="wgmma", output="fp16")
    rng, shapes = np.random.default_rng(2), ((2, 5), (5, 3), (1, 3))
    for dtype in (np.float16, DTYPES["bfloat16"]):
        arrays = [nf.quantize(rng.standard_normal(s), "e4m3").astype(dtype) for s in shapes]
        given = [x.view(Claimed) for x in arrays]
        for chosen in (engine, nf.engines.ExactFDPA("e4m3", "e4m3", length=4)):
            got = nf.matmul(*given, engine=chosen, backend=CLAIMED)
            assert_equal_bits(np.asarray(got), nf.matmul(*arrays, engine=chosen))
    given[0][1, 2] = 17.5
    for chosen in (engine, nf.engines.ExactFDPA("e4m3", "e4m3", length=4)):
        with pytest.raises(ValueError, match=r"a\[1, 2\] = 17.5 is no value of e4m3"):
            nf.matmul(*given, engine=chosen, backend=CLAIMED)


def plant(name: str) -> None:
    before, after = PLANTED[name]
    emitted = numba_cuda_dots.text.dots_text

    def changed(*how: Any) -> str:
        assert before in emitted(*how), f"nothing to plant {name} in"
        return emitted(*how).replace(before, after)

    numba_cuda_dots.text.dots_text = changed


def main() -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    numba_cuda_launch.THREADS = 32  # each is a thread of Python's
    registry = sys.modules["numformats.backends"]
    found = registry.Availability(True, "")
    registry._BACKENDS[NAME] = registry.Backend("host", lambda: found)
    if sys.argv[1:]:
        plant(sys.argv[1])
        unit = next(u for u in DISTINCT if u.a == "bf16" and u.engine.frac_bits == 25)
        assert_equal_bits(product(unit, NAME), product(unit, "reference"))
        return
    counts = f"{units()} unit, {chains()} chain, {integers()} integer, {batches()} batch"
    print(f"{counts}, {devices()} device cases agree")


if __name__ == "__main__":
    main()
