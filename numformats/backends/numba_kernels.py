"""Emitted Numba CPU kernels, compiled once and cached on disk."""

from collections.abc import Callable
from typing import Any

import numba

from numformats.backends.compile_log import listen
from numformats.backends.emitted import both_ways, emit, imported, load
from numformats.backends.numba_text import (
    DRAWING,
    SCALES,
    Flags,
    draw_text,
    kernel_text,
    lane_text,
    mode_text,
    normal_text,
    quotient_text,
    scale_text,
)
from numformats.backends.threads import remembered, without_threads
from numformats.backends.underdamped_task import SIDES
from numformats.blocking import Geometry
from numformats.lanes import CARRIERS, Carrier, Lane
from numformats.rounding import MODES, Mode

Kernel = Callable[..., Any]
SMALL = 1 << 15  # elements
UNROLLED_BLOCKS = (16, 32)  # block sizes compiled as constants
ANY_MODE, PLAIN = MODES["stochastic"], Flags()  # for kernels that round nothing
DOUBLE = CARRIERS["float64"]
listen()


def module(label: str, imports: tuple[str, ...], text: str) -> str:
    """The name of the emitted module that holds ``text`` after its imports."""
    return emit(label, imports, without_threads(text), str(numba.__version__))


def lane_module(lane: Lane) -> str:
    """The module of the core texts on ``lane``."""
    return module(f"lane{lane.width}", (), lane_text(lane))


def mode_module(mode: Mode, lane: Lane) -> str:
    """The module of rounding under ``mode`` on ``lane``."""
    return module(f"mode_{mode.name}", (lane_module(lane),), mode_text(mode))


def quotient_module(mode: Mode, lane: Lane) -> str:
    """The module of blocks with float scales under ``mode`` in the 32-bit lane."""
    imports = (lane_module(lane), mode_module(mode, lane))
    return module(f"quotient_{mode.name}", imports, quotient_text())


def walk(g: Geometry, large: bool) -> tuple[str, int, bool, tuple[int, ...]]:
    """The loop over blocks, their size as a constant (0: none), whether scales change from element
    to element, and what the loop takes of the geometry."""
    size, across = g.tile[1], g.shape[4] > 1
    whole = size in UNROLLED_BLOCKS and g.shape[3] % size == 0
    block = size if large and whole and not across else 0
    if block and g.in_rows:
        return "rows", block, False, ()
    return "tiles", block, across, g.tiling


@remembered
def compiled(
    loop: str,
    large: bool,
    mode: Mode = ANY_MODE,
    carrier: Carrier = CARRIERS["float32"],
    flags: Flags = PLAIN,
    encode: bool = False,
    block: int = 0,
    level_mode: Mode = ANY_MODE,
) -> Kernel:
    """The kernel for ``large`` arrays, which shares the work between threads, or for others, where
    waking threads costs more than it saves; that form compiles in half the time."""
    lane = lane_module(carrier.lane)
    imports = [lane, mode_module(mode, carrier.lane)]
    if loop in SCALES:
        imports.append(module(f"scale_{carrier.name}", (lane,), scale_text(carrier)))
    if loop in DRAWING:
        imports.append(module("draw", (lane,), draw_text()))
    if loop == "long_normals":
        imports.append(module("normal", (lane,), normal_text()))
    text = kernel_text(loop, mode, carrier, flags, encode, block, parallel=large)
    if loop in ("float_rows", "float_tiles"):
        imports.append(quotient_module(mode, carrier.lane))
        text = imported(quotient_module(level_mode, carrier.lane), "short_level") + text
    if loop == "underdamped":
        sides = (mode_module(MODES[side], carrier.lane) for side in SIDES.values())
        text = both_ways(sides) + text
    name = module(f"{loop}_{mode.name}_{carrier.name}", tuple(imports), text)
    compiled: Kernel = load(name).kernel
    return compiled
