"""How long Python takes over one small call on a device, without one: a stand-in for CuPy launches
nothing.

Run ``python -m benchmarks.calls``. A number is the least over the rounds, in microseconds a call,
of 1024 elements of arrays that look like CuPy's. What CuPy takes for a launch comes on top.
"""

import argparse
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

import numformats as nf
from benchmarks.gpu_cases import MOMENTS

ELEMENTS = 1024
STEP: dict[str, Any] = {
    "weight": "e4m3",
    "gradient": "e4m3",
    "accumulator": "variance_corrected",
    "key": nf.Key(3),
}
BACKEND: dict[str, Any] = {"backend": "cupy_cuda"}


class Device(contextlib.nullcontext[None]):
    """The device of all arrays."""

    id = 0


class Array:
    """What of a CuPy array is asked for; its values are never read."""

    device, flags = Device(), SimpleNamespace(c_contiguous=True)

    def __init__(self, shape: Any, dtype: Any) -> None:
        self.shape = shape if isinstance(shape, tuple) else (shape,)
        self.dtype, self.data = np.dtype(dtype), SimpleNamespace(ptr=1 << 12)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "data": (self.data.ptr, False)}

    def __getitem__(self, at: int) -> "Array":
        return self

    def view(self, dtype: Any) -> "Array":
        """The same memory."""
        return self


Array.__module__ = "cupy"  # by which a CuPy array is known


def stand_in() -> Any:
    """A module in the place of CuPy."""
    stream = SimpleNamespace(ptr=0)
    module = SimpleNamespace(get_function=lambda name: lambda grid, block, args: None)
    runtime = SimpleNamespace(getDevice=lambda: 0, memsetAsync=lambda *arguments: None)
    compiler = SimpleNamespace(
        CompileException=RuntimeError, compile_using_nvrtc=lambda *arguments, **more: (b"", None)
    )
    cuda = SimpleNamespace(
        runtime=runtime,
        compiler=compiler,
        nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
        Device=lambda number: SimpleNamespace(compute_capability="90"),
        get_current_stream=lambda device=None: stream,
    )
    made = ModuleType("cupy")
    vars(made).update(
        cuda=cuda, ndarray=Array, empty=Array, zeros=Array, RawModule=lambda path: module,
        ascontiguousarray=lambda x: x,
    )  # fmt: skip
    return made


def calls() -> dict[str, Callable[[], object]]:
    """What is timed."""
    x, out = (Array(ELEMENTS, np.float32) for _ in range(2))
    e4m3, key = nf.parse("e4m3"), nf.Key(3)
    return {
        "quantize, e4m3": lambda: nf.quantize(x, "e4m3", **BACKEND),
        "quantize, a format and out": lambda: nf.quantize(x, e4m3, out=out, **BACKEND),
        "quantize, stochastic": lambda: nf.quantize(x, e4m3, "stochastic", key=key, **BACKEND),
        "quantize, mxfp8_e4m3": lambda: nf.quantize(x, "mxfp8_e4m3", **BACKEND),
        "quantize, nvfp4": lambda: nf.quantize(x, "nvfp4", **BACKEND),
        "variance_corrected": lambda: nf.variance_corrected(x, 0.1, e4m3, key=key, **BACKEND),
        "langevin_step": lambda: nf.langevin_step(x, out, lr=0.1, variance=0.01, **STEP, **BACKEND),
        "underdamped_step": lambda: nf.underdamped_step(
            x, out, x, moments=MOMENTS, **STEP, **BACKEND
        ),
    }


def microseconds(call: Callable[[], object], rounds: int) -> float:
    """The least time of a call."""
    call()  # the first one compiles
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        for _ in range(10):
            call()
        taken.append((time.perf_counter() - began) / 10)
    return min(taken) * 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    registry, held = sys.modules["numformats.backends"], nf.backends()["reference"]
    sys.modules["cupy"] = stand_in()
    registry._BACKENDS["cupy_cuda"] = registry.Backend("cuda", lambda: held)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMFORMATS_CACHE"] = folder
        for name, call in calls().items():
            print(f"{name:28} {microseconds(call, rounds):6.1f}")


if __name__ == "__main__":
    main()
