"""The Numba CUDA kernels of matrix products as PTX, without a driver. A process of its own for each
target: ``python -m tests.engines.ptx 9.0 [PLANTED]``; prints how many kernels were compiled.
"""

from __future__ import annotations

import sys
import types
import warnings
from dataclasses import replace
from typing import Any

import numba.cuda.dispatcher
import numpy as np
from numba import cuda, typeof

import numformats as nf
from numformats.backends import (
    numba_cuda_chains,
    numba_cuda_dots,
    numba_cuda_launch,
    numba_cuda_reading,
)
from tests.engines import test_exact, test_mac
from tests.engines.simulated import CLAIMED, claim_devices, some_units, wrapped
from tests.engines.test_backends import DISTINCT, product
from tests.inputs import DTYPES
from tests.test_device_arrays import Claimed

NAME = "numba_cuda"
FUSED = ("fma_chain", "vdpbf16ps_chain", "tdpbf16ps_chain")  # which fuse them by definition
DONE: dict[Any, str] = {}


def compiled(kernel: Any, threads: int, like: Any, *args: Any) -> None:
    """In the place of a launch: the kernel as PTX for the types of ``args``."""
    signature = tuple(typeof(arg) for arg in args)
    if (kernel, signature) in DONE:
        return
    text: str = cuda.compile_ptx(kernel.py_func, signature, cc=TARGET)[0]
    assert f".target sm_{TARGET[0]}{TARGET[1]}" in text
    if not any(name in kernel.py_func.__module__ for name in FUSED):
        assert "fma.rn.f" not in text, "a product and a sum were contracted"
    assert "call" not in text.replace("callseq", ""), "a device function is not inlined"
    DONE[kernel, signature] = text


def main() -> None:
    global TARGET
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    TARGET = tuple(map(int, sys.argv[1].split(".")))
    device = types.SimpleNamespace(compute_capability=TARGET)
    numba.cuda.dispatcher.get_current_device = lambda: device  # only asked for its target
    registry = sys.modules["numformats.backends"]
    found = registry.Availability(True, "")
    registry._BACKENDS[NAME] = registry.Backend("host", lambda: found)
    claim_devices()
    for module in (numba_cuda_dots, numba_cuda_chains, numba_cuda_reading):
        module.launch, module.upload = compiled, lambda array, like: array
    numba_cuda_dots.zeros = numba_cuda_reading.zeroed = lambda n, dtype, like: np.zeros(n, dtype)
    numba_cuda_reading.fetched = lambda array, like: array
    numba_cuda_reading.scratch = lambda shape, dtype, like: wrapped(np.zeros(shape, dtype), like)
    if sys.argv[2:]:
        emitted = numba_cuda_launch.mode_text
        numba_cuda_launch.mode_text = lambda mode: emitted(mode).replace(
            "significand(mag)", "significant(mag)"
        )
    for unit in DISTINCT:
        product(unit, NAME)
    for unit, given, names in some_units():
        claims = {name: x.view(Claimed) for name, x in names.items()}
        arrays = (x.view(Claimed) for x in given)
        nf.matmul(*arrays, engine=unit.engine, backend=CLAIMED, **claims)
    half = (np.ones((1, 1), dtype).view(Claimed) for dtype in (np.float16, DTYPES["bfloat16"]))
    nf.matmul(*half, engine=nf.engines.ExactFDPA("e4m3", "e4m3", length=1), backend=CLAIMED)
    one = np.ones((1, 1), np.int8).view(Claimed)
    nf.matmul(one, one, engine=nf.engines.IntegerDot(), backend=CLAIMED)
    if TARGET[0] == 9:
        for engine in test_mac.ENGINES.values():
            chain = replace(engine, rounding="stochastic")
            test_mac.got(chain, *test_mac.case(chain), NAME)
        for engine in test_exact.INTEGER.values():
            nf.matmul(*test_exact.integer_case(engine)[:3], engine=engine, backend=NAME)
    print(f"{len(DONE)} kernels compiled for sm_{TARGET[0]}{TARGET[1]}")


if __name__ == "__main__":
    main()
