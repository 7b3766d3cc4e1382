"""The CuPy backend: the emitted CUDA C++ source, compiled by NVRTC and launched on the caller's
current stream. CuPy caches the machine code on disk (``$CUPY_CACHE_DIR``).
"""

import logging
import time
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack
from functools import cache
from typing import Any

import cupy
import numpy as np

from numformats.backends.cuda_launch import THREADS
from numformats.backends.cuda_tasks import CudaTasks
from numformats.backends.cuda_text import UnitBase, source
from numformats.device import DeviceArray, enough_memory

logger = logging.getLogger(__name__)
OPTIONS = ("-std=c++20", "--fmad=false")


@cache
def _module(unit: UnitBase) -> Any:
    """The compiled kernels of a unit; CuPy loads them on each device that asks."""
    began = time.perf_counter()
    try:
        module = cupy.RawModule(code=source({"K": unit}), options=OPTIONS, backend="nvrtc")
        module.get_function(unit.entries("K")[0].name)
    except cupy.cuda.compiler.CompileException as error:
        raise RuntimeError(
            f"NVRTC could not compile the kernel of {unit}; there is no result, and out is "
            "untouched unless a matrix product had begun. Another backend may: write "
            f"backend='numba_cuda'. NVRTC says: {error}"
        ) from error
    logger.debug("loaded or compiled %s in %.2f s", unit, time.perf_counter() - began)
    return module


_PREPARED: dict[UnitBase, tuple[Any, str]] = {}


def prepare(units: Iterable[UnitBase]) -> None:
    """Compile units, all of one lane and carrier, together: less time than one by one."""
    named = {f"K{i}": unit for i, unit in enumerate(dict.fromkeys(units))}
    module = cupy.RawModule(code=source(named), options=OPTIONS, backend="nvrtc")
    _PREPARED.update({unit: (module, name) for name, unit in named.items()})


@cache
def _function(unit: UnitBase, entry: int, device: int) -> Any:
    module, name = _PREPARED.get(unit) or (_module(unit), "K")
    return module.get_function(unit.entries(name)[entry].name)


def _place(like: DeviceArray) -> AbstractContextManager[Any]:
    """The device and the stream of ``like`` as CuPy's current ones, entered where they are not."""
    stack = ExitStack()
    if cupy.cuda.runtime.getDevice() != like.device:
        stack.enter_context(cupy.cuda.Device(like.device))
    if cupy.cuda.get_current_stream().ptr != like.stream:
        stack.enter_context(cupy.cuda.ExternalStream(like.stream, like.device))
    return stack


def _scratch(made: Any, like: DeviceArray) -> DeviceArray:
    place, kind = (like.device, like.stream), np.dtype(made.dtype)
    return DeviceArray(made.data.ptr, made.size, kind, *place, made, made.shape)


class CupyMachine:
    """Launches on device arrays."""

    def address(self, array: Any) -> int:
        """Address of the first element."""
        return int(array.pointer)

    def zeros(self, n: int | tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Zeroed scratch memory where ``like`` lies."""
        with _place(like), enough_memory(f"scratch of shape {n}, {np.dtype(dtype)}"):
            return _scratch(cupy.zeros(n, dtype), like)

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Scratch memory where ``like`` lies."""
        with _place(like), enough_memory(f"scratch of shape {shape}, {np.dtype(dtype)}"):
            return _scratch(cupy.empty(shape, dtype), like)

    def clear(self, array: Any) -> None:
        """Fill an array with zeros."""
        count = array.size * np.dtype(array.dtype).itemsize
        with _place(array):
            cupy.cuda.runtime.memsetAsync(array.pointer, 0, count, array.stream)

    def upload(self, array: Any, like: Any) -> Any:
        """A NumPy array where ``like`` lies."""
        with _place(like), enough_memory(f"{array.size} elements of {array.dtype}"):
            return _scratch(cupy.asarray(array), like)

    def read(self, array: Any) -> Any:
        """A scratch array as NumPy, after everything before it has run."""
        with _place(array):
            return cupy.asnumpy(array.owner)

    def launch(
        self, unit: UnitBase, entry: int, blocks: int, args: tuple[Any, ...], like: Any
    ) -> None:
        """Launch kernel ``entry`` of ``unit``, ``THREADS`` threads a block, where ``like`` lies."""
        with _place(like):
            _function(unit, entry, like.device)((blocks,), (THREADS,), args)


_TASKS = CudaTasks(CupyMachine())
scalar, blocks, words = _TASKS.scalar, _TASKS.blocks, _TASKS.words
normals, draws, block_draws = _TASKS.normals, _TASKS.draws, _TASKS.block_draws
scaled, decode, langevin = _TASKS.scaled, _TASKS.decode, _TASKS.langevin
underdamped = _TASKS.underdamped
dots, scaled_dots = _TASKS.dots, _TASKS.scaled_dots
chains, plain = _TASKS.chains, _TASKS.plain
split, factors, read = _TASKS.split, _TASKS.factors, _TASKS.read
empty, zeros, clear, seen = _TASKS.empty, _TASKS.zeros, _TASKS.clear, _TASKS.seen
read_integers, wrap_integers = _TASKS.read_integers, _TASKS.wrap_integers
cast, add = _TASKS.cast, _TASKS.add
