"""How Numba CUDA kernels are compiled and launched, on the caller's device and stream."""

import warnings
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import cuda

from numformats.backends.emitted import both_ways, emit, imported, load
from numformats.backends.numba_cuda_loading import load as load_numba_cuda
from numformats.backends.numba_cuda_parts import BLOCK_DRAWS, REALS, SCALES
from numformats.backends.numba_cuda_reals import reals_text
from numformats.backends.numba_cuda_text import (
    THREADS,
    block_draw_text,
    draw_text,
    kernel_text,
    lane_text,
    mode_text,
    normal_text,
    quotient_text,
    scale_text,
)
from numformats.backends.task import EITHER
from numformats.backends.underdamped_task import SIDES
from numformats.blocking import Geometry
from numformats.device import DeviceArray, enough_memory
from numformats.lanes import CARRIERS, LANE32, Carrier, Lane
from numformats.rounding import MODES, Mode

load_numba_cuda()
MOST_BLOCKS = 1 << 16  # beyond them threads stride over the rest
FEW_THREADS = 1 << 20  # the same, of kernels that ``few`` is for
FEW_BLOCKS = 128  # Numba warns of fewer
SENT = 1 << 12  # elements that are sent as zeros; a kernel clears more
_ANY_MODE = MODES["stochastic"]  # for kernels that round nothing
DOUBLE = CARRIERS["float64"]


def module(label: str, imports: tuple[str, ...], text: str) -> str:
    """The name of the emitted module that holds ``text`` after its imports."""
    version = getattr(cuda, "__version__", "") or numba.__version__
    return emit(f"cuda_{label}", imports, text, str(version))


def lane_module(lane: Lane) -> str:
    """The module of the core texts on ``lane``."""
    return module(f"lane{lane.width}", (), lane_text(lane))


def mode_module(mode: Mode, lane: Lane) -> str:
    """The module of rounding under ``mode`` on ``lane``."""
    return module(f"mode_{mode.name}", (lane_module(lane),), mode_text(mode))


def reals_module(lane: Lane) -> str:
    """The module of operations on reals that are not contracted."""
    return module("reals", (lane_module(lane),), reals_text())


def quotient_module(mode: Mode, lane: Lane) -> str:
    """The module of blocks with float scales under ``mode`` in the 32-bit lane."""
    imports = (lane_module(lane), reals_module(lane), mode_module(mode, lane))
    return module(f"quotient_{mode.name}", imports, quotient_text())


@cache
def compiled(
    loop: str,
    mode: Mode = _ANY_MODE,
    carrier: Carrier = CARRIERS["float32"],
    general: bool = False,
    plain_inf: bool = False,
    encode: bool = False,
    uniform: bool = False,
    sparse: bool = False,
    short: bool = False,
    law: int = EITHER,
    flags: tuple[bool, ...] = (),
    block: int = 0,
    level_mode: Mode = _ANY_MODE,
) -> Any:
    """The kernel for these choices; it serves all formats."""
    lane = lane_module(carrier.lane)
    imports = [lane, mode_module(mode, carrier.lane)]
    if loop in SCALES:
        imports.append(module(f"scale_{carrier.name}", (lane,), scale_text(carrier)))
    if loop in REALS:
        reals = reals_module(carrier.lane)
        imports += [reals, module("draw", (lane, reals), draw_text())]
    if loop in BLOCK_DRAWS:
        imports.append(module("block_draw", tuple(imports), block_draw_text()))
    if loop == "long_normals":
        imports.append(module("normal", (lane, reals), normal_text()))
    text = kernel_text(
        loop, mode, carrier, general, plain_inf, encode, uniform, sparse, short, law, flags, block
    )
    if loop in ("float_rows", "scaled") and carrier.lane is LANE32:
        imports.append(quotient_module(mode, carrier.lane))
    if loop == "float_rows":
        text = (
            imported(quotient_module(level_mode, carrier.lane), "short_level, level_by_parts")
            + text
        )
    if loop == "underdamped":
        sides = (mode_module(MODES[side], carrier.lane) for side in SIDES.values())
        text = both_ways(sides) + text
    return load(module(f"{loop}_{mode.name}_{carrier.name}", tuple(imports), text)).kernel


def _stream(like: Any) -> Any:
    """The caller's stream where ``like`` lies (0: the default one, also in the simulator)."""
    known = isinstance(like, DeviceArray) and like.stream
    return cuda.external_stream(like.stream) if known else 0


def _device(like: Any) -> AbstractContextManager[Any]:
    return cuda.gpus[like.device] if isinstance(like, DeviceArray) else nullcontext()


def zeros(n: int, dtype: Any, like: Any) -> Any:
    """Zeroed scratch memory where ``like`` lies."""
    with _device(like), enough_memory(f"{n} scratch elements of {np.dtype(dtype)}"):
        if n <= SENT:
            return cuda.to_device(np.zeros(n, dtype), stream=_stream(like))
        made = cuda.device_array(n, dtype, stream=_stream(like))
    launch(compiled("clear"), n, like, made)
    return made


def scratch(shape: tuple[int, ...], dtype: Any, like: Any) -> DeviceArray:
    """Memory where ``like`` lies, as other device arrays."""
    with _device(like), enough_memory(f"scratch of shape {shape}, {np.dtype(dtype)}"):
        made = cuda.device_array(shape, dtype, stream=_stream(like))
    return wrapped(made, like)


def wrapped(made: Any, like: Any) -> DeviceArray:
    """A Numba array where ``like`` lies."""
    pointer, kind = made.__cuda_array_interface__["data"][0], np.dtype(made.dtype)
    return DeviceArray(pointer, made.size, kind, like.device, like.stream, made, made.shape)


def upload(array: Any, like: Any) -> Any:
    """A NumPy array where ``like`` lies."""
    with _device(like), enough_memory(f"{array.size} elements of {array.dtype}"):
        return cuda.to_device(array, stream=_stream(like))


def in_rows(g: Geometry) -> bool:
    """Whether blocks fill memory, and the threads of a group hold whole ones, four elements
    each."""
    return g.in_rows and g.tile[1] % 4 == 0 and g.tile[1] <= 4 * THREADS


def few(n: int) -> int:
    """Threads for ``n`` elements of a kernel whose threads prepare much, or gather what they
    found."""
    return min(n, FEW_THREADS)


def _configured(kernel: Any, blocks: int, stream: Any) -> Any:
    """The kernel for a launch; Numba warns of grids as small as small arrays have them."""
    if blocks >= FEW_BLOCKS:
        return kernel[blocks, THREADS, stream]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Grid size")
        return kernel[blocks, THREADS, stream]


def launch(kernel: Any, threads: int, like: Any, *args: Any) -> None:
    """Launch for ``threads`` elements, where ``like`` lies."""
    blocks = min(max(-(-threads // THREADS), 1), MOST_BLOCKS)
    with _device(like):
        try:
            _configured(kernel, blocks, _stream(like))(*args)
        except numba.core.errors.NumbaError as error:
            raise RuntimeError(
                f"Numba could not compile {kernel.py_func.__module__} for this device; there is no "
                "result, and out is untouched unless a matrix product had begun. Another backend "
                "may: write backend='cupy_cuda'. "
                f"Numba says: {error}"
            ) from error


def read(array: Any, like: Any) -> Any:
    """A scratch array as NumPy, after everything before it has run."""
    with _device(like):
        stream = _stream(like)
        found = array.copy_to_host(stream=stream)
        if stream:
            stream.synchronize()
    return found
