"""The CuPy backend: the emitted CUDA C++ source, compiled by NVRTC and launched on the caller's
current stream.
"""

import logging
import time
import warnings
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache
from math import prod
from typing import Any

import cupy
import numpy as np

from numformats.backends.cuda_code import OPTIONS, on_disk
from numformats.backends.cuda_launch import THREADS
from numformats.backends.cuda_tasks import CudaTasks
from numformats.backends.cuda_text import UnitBase, source, together
from numformats.device import DeviceArray, enough_memory
from numformats.device_libraries import library
from numformats.lanes import name_of, size_of

logger = logging.getLogger(__name__)


def _loaded(units: Mapping[str, UnitBase], device: int) -> Any:
    """The kernels of units as a module of one device. CuPy gets machine code: where it gets source,
    it flushes subnormals."""
    arch, text = cupy.cuda.Device(device).compute_capability, source(units)
    compiler = "NVRTC {}.{}".format(*cupy.cuda.nvrtc.getVersion())

    def compiled() -> bytes:
        code, _ = cupy.cuda.compiler.compile_using_nvrtc(text, OPTIONS, arch)
        return code if isinstance(code, bytes) else str(code).encode()

    return cupy.RawModule(path=str(on_disk(text, f"sm_{arch}, {compiler}", compiled)))


@cache
def _module(unit: UnitBase, device: int) -> Any:
    """The kernels of one unit."""
    began = time.perf_counter()
    try:
        module = _loaded({"K": unit}, device)
    except cupy.cuda.compiler.CompileException as error:
        raise RuntimeError(
            f"NVRTC could not compile the kernel of {unit}; there is no result, and out is "
            "untouched unless a matrix product had begun. Another backend may: write "
            f"backend='numba_cuda'. NVRTC says: {error}"
        ) from error
    logger.debug("loaded or compiled %s in %.2f s", unit, time.perf_counter() - began)
    return module


_PREPARED: dict[tuple[UnitBase, int], tuple[Any, str]] = {}


def prepare(units: Iterable[UnitBase]) -> None:
    """Compile units together, as far as they go together: less time than one by one."""
    device = cupy.cuda.runtime.getDevice()
    for group in together(dict.fromkeys(units)):
        named = {f"K{i}": unit for i, unit in enumerate(group)}
        module = _loaded(named, device)
        _PREPARED.update({(unit, device): (module, name) for name, unit in named.items()})


@cache
def _function(unit: UnitBase, entry: int, device: int) -> Any:
    module, name = _PREPARED.get((unit, device)) or (_module(unit, device), "K")
    return module.get_function(unit.entries(name)[entry].name)


@cache
def _stream(handle: int, device: int) -> Any:
    """CuPy's name for a stream of another library, which goes on to own it."""
    with warnings.catch_warnings():  # CuPy 14 prefers from_external, which 13 lacks
        warnings.simplefilter("ignore", DeprecationWarning)
        return cupy.cuda.ExternalStream(handle, device)


_HERE: AbstractContextManager[Any] = nullcontext()


def _place(like: DeviceArray) -> AbstractContextManager[Any]:
    """The device and the stream of ``like`` as CuPy's current ones, entered where they are not."""
    there = cupy.cuda.runtime.getDevice() == like.device
    if there and cupy.cuda.get_current_stream().ptr == like.stream:
        return _HERE
    stack = ExitStack()
    if not there:
        stack.enter_context(cupy.cuda.Device(like.device))
    if cupy.cuda.get_current_stream().ptr != like.stream:
        stack.enter_context(_stream(like.stream, like.device))
    return stack


def _view(array: DeviceArray) -> Any:
    """Scratch memory as a CuPy array."""
    size = array.size * size_of(array.dtype)
    held = cupy.cuda.UnownedMemory(array.pointer, size, array.owner, array.device)
    return cupy.ndarray(array.shape, array.dtype, cupy.cuda.MemoryPointer(held, 0))


def _scratch(shape: tuple[int, ...], dtype: Any, like: DeviceArray) -> DeviceArray:
    """Uninitialised memory; torch's where the caller's arrays are, since torch keeps what its
    graphs captured."""
    kind, (found, owner) = np.dtype(dtype), library(like.owner)
    count = prod(shape) * kind.itemsize
    if found.kind == "torch":
        made = found.made((count,), "uint8", owner)
        pointer = found.pointer(made)
    else:
        made = cupy.empty(count, np.uint8)
        pointer = made.data.ptr
    return DeviceArray(pointer, prod(shape), kind, like.device, like.stream, made, shape)


class CupyMachine:
    """Launches on device arrays."""

    def address(self, array: Any) -> int:
        """Address of the first element."""
        return int(array.pointer)

    def zeros(self, n: int | tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Zeroed scratch memory where ``like`` lies."""
        made = self.empty((n,) if isinstance(n, int) else n, dtype, like)
        self.clear(made)
        return made

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        """Scratch memory where ``like`` lies."""
        with _place(like), enough_memory(f"scratch of shape {shape}, {name_of(dtype)}"):
            return _scratch(shape, dtype, like)

    def clear(self, array: Any) -> None:
        """Fill an array with zeros."""
        count = array.size * size_of(array.dtype)
        with _place(array):
            cupy.cuda.runtime.memsetAsync(array.pointer, 0, count, array.stream)

    def upload(self, array: Any, like: Any) -> Any:
        """A NumPy array where ``like`` lies."""
        with _place(like), enough_memory(f"{array.size} elements of {array.dtype}"):
            made = cupy.asarray(array)
        place = (like.device, like.stream)
        return DeviceArray(made.data.ptr, made.size, made.dtype, *place, made, made.shape)

    def read(self, array: Any) -> Any:
        """A scratch array as NumPy, after everything before it has run."""
        with _place(array):
            return cupy.asnumpy(_view(array))

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
