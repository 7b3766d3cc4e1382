"""The Numba CUDA backend: the core texts as device functions of emitted kernels.

Arrays are device arrays of the current device (anything with ``__cuda_array_interface__``); under
``NUMBA_ENABLE_CUDASIM=1`` the kernels run in the simulator, on host arrays too.
"""

from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any

import numba
import numpy as np
from numba import cuda

from numformats.backends.emitted import emit, load
from numformats.backends.numba_cuda_text import (
    REALS,
    SCALES,
    draw_text,
    kernel_text,
    lane_text,
    mode_text,
    scale_text,
)
from numformats.backends.task import (
    STEP_FLAGS,
    BlockDrawTask,
    BlockTask,
    DecodeTask,
    DrawTask,
    LangevinTask,
    Levels,
    ScalarTask,
    ScaledTask,
)
from numformats.blocking import Geometry
from numformats.device import DeviceArray, enough_memory
from numformats.lanes import CARRIERS, Carrier
from numformats.rounding import MODES, Mode

THREADS = 256
MOST_BLOCKS = 1 << 16  # beyond them threads stride over the rest
LONGEST_BLOCK = 1024  # elements of a block that one group of threads holds
_ANY_MODE = MODES["stochastic"]  # for kernels that round nothing
_DOUBLE = CARRIERS["float64"]


def _module(label: str, imports: tuple[str, ...], text: str) -> str:
    version = getattr(cuda, "__version__", "") or numba.__version__
    return emit(f"cuda_{label}", imports, text, str(version))


@cache
def compiled(
    loop: str,
    mode: Mode = _ANY_MODE,
    carrier: Carrier = CARRIERS["float32"],
    general: bool = False,
    plain_inf: bool = False,
    encode: bool = False,
) -> Any:
    """The kernel for these choices; it serves all formats."""
    lane = _module(f"lane{carrier.lane.width}", (), lane_text(carrier.lane))
    imports = [lane, _module(f"mode_{mode.name}", (lane,), mode_text(mode))]
    if loop in SCALES:
        imports.append(_module(f"scale_{carrier.name}", (lane,), scale_text(carrier)))
    if loop in REALS:
        imports.append(_module("draw", (lane,), draw_text()))
    text = kernel_text(loop, mode, carrier, general, plain_inf, encode)
    return load(_module(f"{loop}_{mode.name}_{carrier.name}", tuple(imports), text)).kernel


def _stream(like: Any) -> Any:
    """The caller's stream where ``like`` lies (0: the default one, also in the simulator)."""
    known = isinstance(like, DeviceArray) and like.stream
    return cuda.external_stream(like.stream) if known else 0


def _device(like: Any) -> AbstractContextManager[Any]:
    return cuda.gpus[like.device] if isinstance(like, DeviceArray) else nullcontext()


def _zeros(n: int, dtype: Any, like: Any) -> Any:
    with _device(like), enough_memory(f"{n} scratch elements of {np.dtype(dtype)}"):
        return cuda.to_device(np.zeros(n, dtype), stream=_stream(like))


def _launch(kernel: Any, threads: int, like: Any, *args: Any) -> None:
    """Launch for ``threads`` elements, where ``like`` lies."""
    blocks = min(max(-(-threads // THREADS), 1), MOST_BLOCKS)
    with _device(like):
        try:
            kernel[blocks, THREADS, _stream(like)](*args)
        except numba.core.errors.NumbaError as error:
            raise RuntimeError(
                f"Numba could not compile {kernel.py_func.__module__} for this device; nothing was "
                "launched and out is untouched. Another backend may: write backend='cupy_cuda'. "
                f"Numba says: {error}"
            ) from error


def scalar(task: ScalarTask) -> None:
    """Round (or encode) every element of a flat array."""
    low, lane = task.lowered, task.carrier.lane
    loop = "wrap" if task.wrapping else "quantize"
    kernel = compiled(loop, task.mode, task.carrier, low.general, low.plain_inf, task.encode)
    more = task.wrapping.limits(lane) if task.wrapping else ()
    stream = (*task.words, np.uint64(task.first), lane.unsigned(task.spare))
    _launch(kernel, task.x.size, task.x, task.x, task.out, *stream, low.grid, task.codes, *more)


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    lane, (_, n1, nb, n2, nc) = task.carrier.lane, task.geometry.shape
    t2 = task.geometry.tile[1]
    how = (
        *task.words, np.uint64(task.first), lane.unsigned(task.spare), task.lowered.grid,
        task.lowered.general, task.codes, task.scale,
    )  # fmt: skip
    if n1 == nb == nc == 1 and n2 % t2 == 0 and t2 % 4 == 0 and t2 <= LONGEST_BLOCK:
        kernel = compiled("rows", task.mode, task.carrier, encode=task.encode)
        _launch(kernel, task.x.size // 4, task.x, task.x, task.out, task.scales, *how, t2)
        return
    amax, tiling = _zeros(task.geometry.blocks, lane.unsigned, task.x), task.geometry.tiling
    _launch(compiled("maxima", carrier=task.carrier), task.x.size, task.x, task.x, amax, *tiling)
    kernel = compiled("tiles", task.mode, task.carrier, encode=task.encode)
    _launch(kernel, task.x.size, task.x, task.x, task.out, task.scales, amax, *how, *tiling)


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards (uint32: 32-bit lanes, uint64: 64-bit lanes)."""
    carrier = CARRIERS["float32" if np.dtype(out.dtype) == np.uint32 else "float64"]
    _launch(compiled("words", carrier=carrier), out.size, out, out, *key, np.uint64(first))


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    _launch(compiled("normals"), out.size, out, out, *key, np.uint64(first))


def draws(task: DrawTask) -> tuple[int, int]:
    """Variance-corrected draws; the numbers of elements with too much variance and beyond the
    range."""
    nothing = _zeros(1, np.float64, task.out)
    return _draws(task, nothing, False, (1,) * 8)


def block_draws(task: BlockDrawTask) -> tuple[int, int]:
    """As ``draws``, in blocks."""
    d, g = task.draw, task.geometry
    totals, _ = _levels(d.mean, d.variance, g, task.levels, None)
    return _draws(d, totals, True, g.tiling)


def _draws(
    task: DrawTask, totals: Any, in_blocks: bool, tiling: tuple[int, ...]
) -> tuple[int, int]:
    counts = _zeros(2, np.uint64, task.out)
    keys = (*task.key, *task.other_key, np.uint64(task.first))
    arrays = (task.mean, task.variance, task.out, totals, in_blocks)
    kernel = compiled("draws")
    _launch(kernel, task.out.size, task.out, *arrays, *keys, task.grid, counts, *tiling)
    if not task.counted:
        return 0, 0
    short, beyond = _read(counts, task.out)
    return int(short), int(beyond)


def _read(array: Any, like: Any) -> Any:
    """A scratch array as NumPy, after everything before it has run."""
    stream = _stream(like)
    found = array.copy_to_host(stream=stream)
    if stream:
        stream.synchronize()
    return found


def _levels(x: Any, variance: Any, g: Geometry, how: Levels, scales: Any) -> tuple[Any, Any]:
    """Scales of all blocks, that of the array multiplied in, and that of the array; with a
    ``variance``, scales that cover draws."""
    top, totals = _zeros(g.blocks, np.uint64, x), _zeros(g.blocks, np.float64, x)
    finite, second = _zeros(1, np.uint64, x), _zeros(1, np.float64, x)
    reaching = variance is not None
    given = variance if reaching else second
    kernel = compiled("tops", carrier=_DOUBLE)
    _launch(kernel, x.size, x, x, given, reaching, top, finite, *g.tiling)
    encode, low = scales is not None, how.lowered
    codes = scales if encode else _zeros(1, np.uint8, x)
    kernel = compiled("levels", how.mode, _DOUBLE, encode=encode)
    rule = (how.spec, how.power, how.is_power, low.grid, low.general, how.codes)
    _launch(kernel, g.blocks, x, top, finite, totals, codes, second, *rule)
    return totals, second


def scaled(task: ScaledTask) -> float:
    """Round (or encode) in blocks with scales of any kind; where encoding, the scale of the whole
    array."""
    scales = task.scales if task.encode else None
    totals, second = _levels(task.x, None, task.geometry, task.levels, scales)
    kernel = compiled("scaled", task.mode, _DOUBLE, encode=task.encode)
    stream = (*task.words, np.uint64(task.first), _DOUBLE.lane.unsigned(task.spare))
    rule = (task.lowered.grid, task.lowered.general, task.codes, *task.geometry.tiling)
    _launch(kernel, task.x.size, task.x, task.x, task.out, totals, *stream, *rule)
    return float(_read(second, task.x)[0]) if task.encode else 1.0


def decode(task: DecodeTask) -> None:
    """The values of stored codes."""
    n, arrays = task.codes.size, (task.codes, task.out)
    if task.geometry is None:
        kernel = compiled("decoded", carrier=_DOUBLE)
        _launch(kernel, n, task.codes, *arrays, task.spec)
        return
    kernel = compiled("block_decoded", carrier=_DOUBLE)
    scales = (task.totals, np.float64(task.second))
    _launch(kernel, n, task.codes, *arrays, *scales, task.spec, *task.geometry.tiling)


def langevin(task: LangevinTask) -> tuple[int, int]:
    """One Langevin step; the numbers of elements with too much variance and beyond the range (where
    a weight is rounded; else nothing waits for them)."""
    counts, k = _zeros(2, np.uint64, task.theta), task.keys
    keys = (*k.gradient, *k.noise, *k.weight, *k.other, np.uint64(k.first))
    rounds = bool({"WEIGHT", "DRAWN"} & set(task.flags))
    nothing = _zeros(1, np.float32, task.theta)  # in the place of a result that is not written
    stored = task.stored if "KEEPS" in task.flags or not rounds else nothing
    arrays = (task.theta, task.grad, stored, task.seen if rounds else nothing)
    scalars = (task.lr, task.decay, task.sigma, task.variance)
    grids = (task.gradient.grid, task.weight.grid, task.draw, task.general, task.low, task.high)
    flags = tuple(name in task.flags for name in STEP_FLAGS)
    kernel = compiled("langevin", task.mode)
    given = (*arrays, *scalars, *grids, *keys, counts, flags)
    _launch(kernel, task.theta.size, task.theta, *given)
    if not rounds:
        return 0, 0
    short, beyond = _read(counts, task.theta)
    return int(short), int(beyond)
