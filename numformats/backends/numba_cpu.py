"""The Numba CPU backend: emitted kernels, compiled in parallel form and cached on disk.

Kernels are modules of source in the cache folder, each named by the hash of its text, so that a
second process loads machine code and an edited rule can never meet a stale kernel. The folder is
``$NUMFORMATS_CACHE``, else ``~/.cache/numformats``, else a temporary folder.
"""

import hashlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np

from numformats.backends.numba_text import (
    CHUNKS,
    Flags,
    draw_text,
    kernel_text,
    lane_text,
    mode_text,
    scale_text,
)
from numformats.backends.task import BlockTask, DrawTask, ScalarTask
from numformats.lanes import CARRIERS, Carrier
from numformats.rounding import MODES, Mode

Kernel = Callable[..., None]
PACKAGE = "numformats_kernels"
SMALL = 1 << 15  # elements
UNROLLED_BLOCKS = (16, 32)  # block sizes compiled as constants


def cache_folder() -> Path:
    """The folder of emitted kernels, made when missing."""
    wanted = os.environ.get("NUMFORMATS_CACHE") or os.path.expanduser("~/.cache/numformats")
    user = getattr(os, "getuid", int)()
    for folder in (Path(wanted), Path(tempfile.gettempdir()) / f"numformats-{user}"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except OSError:
            continue
    return Path(tempfile.mkdtemp(prefix="numformats-"))


def _module(label: str, imports: tuple[str, ...], text: str) -> str:
    """Write (where missing) the module that holds ``text`` after its imports; returns its name."""
    lines = [f"from {PACKAGE}.{name} import *" for name in imports]
    source = "\n".join([*lines, text])
    digest = hashlib.sha256((source + numba.__version__).encode()).hexdigest()[:20]
    path = _folder() / f"{label}_{digest}.py"
    if not path.exists():
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
        with os.fdopen(handle, "w") as file:
            file.write(source)
        os.replace(temporary, path)
    return path.stem


@cache
def _folder() -> Path:
    """The cache folder, importable as the package of emitted modules."""
    folder = cache_folder()
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    return folder


@cache
def _compiled(
    loop: str, mode: Mode, carrier: Carrier, flags: Flags, encode: bool, block: int
) -> Kernel:
    lane = _module(f"lane{carrier.lane.width}", (), lane_text(carrier.lane))
    imports = [lane, _module(f"mode_{mode.name}", (lane,), mode_text(mode))]
    if loop in ("rows", "tiles"):
        imports.append(_module(f"scale_{carrier.name}", (lane,), scale_text(carrier)))
    if loop in ("normals", "draws"):
        imports.append(_module("draw", (lane,), draw_text()))
    text = kernel_text(loop, mode, carrier, flags, encode, block)
    name = _module(f"{loop}_{mode.name}_{carrier.name}", tuple(imports), text)
    importlib.invalidate_caches()
    compiled: Kernel = importlib.import_module(f"{PACKAGE}.{name}").kernel
    return compiled


def _call(run: Kernel, size: int, *args: Any) -> None:
    """Run a kernel; on one thread where waking the others would cost more than it saves."""
    if size > SMALL:
        run(*args)
        return
    threads = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        run(*args)
    finally:
        numba.set_num_threads(threads)


def scalar(task: ScalarTask) -> None:
    """Round (or encode) every element of a flat array."""
    low, lane = task.lowered, task.carrier.lane
    loop = "wrap" if task.wrapping else "quantize"
    run = _compiled(loop, task.mode, task.carrier, _flags(task), task.encode, 0)
    _call(
        run,
        task.x.size,
        task.x,
        task.out,
        *task.words,
        task.first,
        lane.unsigned(task.spare),
        low.grid,
        task.codes,
        *(task.wrapping.limits(lane) if task.wrapping else ()),
    )


def _flags(task: ScalarTask) -> Flags:
    """Two more kernels a mode are worth their compile time only where speed is wanted most."""
    low = task.lowered
    if task.wrapping or task.encode or task.carrier.name != "float32":
        return Flags(low.general)
    return Flags(low.general, low.mirrored, low.saturating)


def blocks(task: BlockTask) -> None:
    """Round (or encode) every element of an array in blocks with power-of-two scales."""
    lane, (a, n1, b, n2, c) = task.carrier.lane, task.geometry.shape
    by_rows = n1 == b == c == 1
    tile = task.geometry.tile[1]
    block = tile if by_rows and tile in UNROLLED_BLOCKS else 0
    run = _compiled(
        "rows" if by_rows else "tiles",
        task.mode,
        task.carrier,
        Flags(),
        task.encode,
        block,
    )
    shape = task.geometry.shape
    counts = task.geometry.scales_shape if task.encode else (1, 1, 1, 1, 1)
    common = (
        *task.words,
        task.first,
        lane.unsigned(task.spare),
        task.lowered.grid,
        task.lowered.general,
        task.codes,
        task.scale,
    )
    if by_rows:
        _call(
            run,
            task.x.size,
            task.x.reshape(a, n2),
            task.out.reshape(a, n2),
            task.scales.reshape(counts[0], counts[3]),
            *common,
            tile,
        )
    else:
        _call(
            run,
            task.x.size,
            task.x.reshape(shape),
            task.out.reshape(shape),
            task.scales.reshape(counts),
            *common,
            *task.geometry.tile,
        )


def words(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Random words for elements ``first`` onwards (uint32: 32-bit lanes, uint64: 64-bit lanes)."""
    carrier = CARRIERS["float32" if out.dtype == np.uint32 else "float64"]
    run = _compiled("words", MODES["stochastic"], carrier, Flags(), False, 0)
    _call(run, out.size, out, *key, first)


def normals(out: Any, key: tuple[Any, Any], first: int) -> None:
    """Standard normals for elements ``first`` onwards."""
    run = _compiled("normals", MODES["stochastic"], CARRIERS["float32"], Flags(), False, 0)
    _call(run, out.size, out, *key, first)


def draws(task: DrawTask) -> tuple[int, int]:
    """Variance-corrected draws; the numbers of elements with too much variance and beyond the
    range."""
    run = _compiled("draws", MODES["stochastic"], CARRIERS["float32"], Flags(), False, 0)
    counts = np.zeros((-(-task.mean.size // CHUNKS["draws"]), 2), np.int64)
    _call(
        run,
        task.mean.size,
        task.mean,
        task.variance,
        task.out,
        *task.key,
        *task.other_key,
        task.first,
        task.grid,
        counts,
    )
    short, beyond = counts.sum(axis=0)
    return int(short), int(beyond)
