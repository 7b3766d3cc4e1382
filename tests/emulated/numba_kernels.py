"""The PTX of the Numba CUDA kernels, run on the host and compared with the reference. A process of
its own: ``python -m tests.emulated.numba_kernels FOLDER [PLANTED]``; prints what it compared.
"""

from __future__ import annotations

import ctypes
import pathlib
import re
import sys
import types
import warnings
from typing import Any

import numba.cuda.dispatcher
import numpy as np
from numba import cuda, typeof

import numformats as nf
from numformats.backends import (
    numba_cuda,
    numba_cuda_launch,
    numba_cuda_real,
    numba_cuda_underdamped,
)
from numformats.device import DeviceArray
from tests import simulated
from tests.emulated.building import Library
from tests.inputs import DTYPES

TARGET = (9, 0)
TWO_MODES = ("nearest_even", "stochastic")
PLANTED = {
    "a comparison": (r"\bsetp\.gt\.u32\b", "setp.lt.u32"),
    "a constant": (r"\b8388608\b", "8388609"),
    "a barrier that is left out": (r"\bbar\.sync\s+0;", ""),
}


class Host:
    """In the place of a device: compiles for it, and runs what came out of it."""

    def __init__(self, folder: pathlib.Path, planted: str = "") -> None:
        self.folder, self.planted = folder, PLANTED.get(planted)
        self.built: dict[Any, Library] = {}

    def launch(self, kernel: Any, threads: int, like: Any, *args: Any) -> None:
        signature = tuple(typeof(arg) for arg in args)
        if (kernel, signature) not in self.built:
            text, _ = cuda.compile_ptx(kernel.py_func, signature, cc=TARGET)
            text = re.sub(*self.planted, text) if self.planted else text
            self.built[kernel, signature] = Library(text, self.folder)
        library = self.built[kernel, signature]
        library.may_touch([(a.ctypes.data, a.nbytes) for a in args if isinstance(a, np.ndarray)])
        most = numba_cuda_launch.MOST_BLOCKS
        blocks = min(max(-(-threads // numba_cuda_launch.THREADS), 1), most)
        (entry,) = library.entries.values()
        given = [word for arg in args for word in words(arg)]
        library.launch(entry, blocks, numba_cuda_launch.THREADS, given, backwards=threads % 3 == 0)

    def zeros(self, n: int, dtype: Any, like: Any) -> Any:
        return np.zeros(n, dtype)

    def scratch(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        made = np.empty(shape, dtype)
        made.view(np.uint8)[...] = 0xA5
        if not isinstance(like, DeviceArray):
            return made
        return DeviceArray(made.ctypes.data, made.size, made.dtype, 0, 0, made, made.shape)

    def upload(self, array: Any, like: Any) -> Any:
        return array

    def read(self, array: Any, like: Any) -> Any:
        return array


def words(x: Any) -> list[Any]:
    """An argument as Numba passes it: arrays as what describes them, tuples member by member."""
    if isinstance(x, tuple):
        return [word for member in x for word in words(member)]
    if isinstance(x, np.ndarray):
        described = (0, 0, x.size, x.itemsize, x.ctypes.data, *x.shape, *x.strides)
        return [ctypes.c_int64(v) for v in described]
    if isinstance(x, (bool, np.bool_)):
        return [ctypes.c_uint8(x)]
    if isinstance(x, (int, float)):
        return [ctypes.c_int64(x) if isinstance(x, int) else ctypes.c_double(x)]
    return [np.ctypeslib.as_ctypes_type(x.dtype)(x.item())]


def scalars() -> int:
    """All modes of float32, two of the other carriers."""
    done = 0
    for carrier in DTYPES:
        for mode in nf.roundings() if carrier == "float32" else TWO_MODES:
            for fmt in simulated.FORMATS:
                simulated.compare(nf.quantize, simulated.sample(fmt, carrier, 500), fmt, mode)
                done += 1
        for fmt in (nf.E4M3, nf.FixedPoint(8, 3)):
            x = simulated.sample(fmt, carrier, 500)
            simulated.compare(nf.encode, x[np.isfinite(x)], fmt, "nearest_even")
    return done


def stand_in(host: Host, modules: list[Any]) -> None:
    """Put a host in the place of the device for these modules of the backend."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    device = types.SimpleNamespace(compute_capability=TARGET)
    numba.cuda.dispatcher.get_current_device = lambda: device  # only asked for its target
    for module in modules:
        for name, value in list(vars(module).items()):
            for own in ("launch", "zeros", "upload", "read", "scratch"):
                if value is getattr(numba_cuda_launch, own):
                    setattr(module, name, getattr(host, own))
    registry = sys.modules["numformats.backends"]
    found = registry.Availability(True, "")
    registry._BACKENDS["numba_cuda"] = registry.Backend("host", lambda: found)


def main() -> None:
    modules = [numba_cuda, numba_cuda_real, numba_cuda_underdamped]
    host = Host(pathlib.Path(sys.argv[1]), *sys.argv[2:])
    stand_in(host, modules)
    if host.planted:
        for fmt in (nf.E4M3, nf.MXFP4):
            x = np.resize(simulated.sample(nf.E4M3, "float32", 60), (2, 32))
            simulated.compare(nf.quantize, np.nan_to_num(x), fmt, "nearest_even")
        return
    made = f"{scalars()} scalar, {simulated.blocks()} block, {simulated.draws()} draw"
    print(f"{made}, {simulated.steps()} step, {simulated.underdamped()} underdamped cases agree")


if __name__ == "__main__":
    main()
