"""Source of the Numba CPU kernels, in modules that share what they can.

``lane``: a prelude and the core texts for one lane; ``mode``: one rounding mode on it; ``scale``:
block scales for one carrier; ``kernel``: a load, a store, and one loop. Each is compiled once and
cached.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from numformats.backends import intrinsics, random_loops, short_draw_loops
from numformats.backends.emit import (
    CORE,
    DRAW,
    LOADS,
    NEAREST,
    NORMAL,
    QUOTIENT,
    SCALE,
    SHORT,
    SHORT_DRAW,
    STEP,
    STORES,
    UNDERDAMPED,
    constants,
    mode_parts,
    module_text,
)
from numformats.backends.numba_parts import INLINED, INTRINSICS, PARTS, Parts, loop_of
from numformats.backends.task import EITHER, NARROW, WIDE
from numformats.lanes import Carrier, Lane
from numformats.rounding import Mode

_PRELUDE = """\
import numpy as np
from numba import njit, prange
from numba.core import cgutils, types
from numba.extending import intrinsic
from llvmlite import ir
from numformats.core.decode import DecodeSpec
from numformats.core.draw import DrawGrid
from numformats.core.grid import CodeSpec, Grid
from numformats.core.scale import ScaleSpec
from numformats.core.scaled import LevelSpec
from numformats.core.short_draw import Place, ShortDraw

{constants}
{intrinsics}
mostly = where

@njit(cache=True)
def bit_length(x):
    return I(I(LAST + I(1)) - I(leading_zeros(U(x))))

@njit(cache=True)
def minimum(a, b):
    return where(a < b, a, b)

@njit(cache=True)
def maximum(a, b):
    return where(a > b, a, b)

@njit(cache=True)
def shl(x, s):
    return shift_left(U(x), U(s))

@njit(cache=True)
def shr(x, s):
    return shift_right(U(x), U(s))

@njit(cache=True)
def root(x):
    return np.sqrt(x)

@njit(cache=True)
def floor_of(x):
    return np.floor(x)

@njit(cache=True)
def single(x):
    return F64(np.float32(x))
"""

DEVICE = "@njit(error_model='numpy', cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)"
_INLINE = DEVICE.replace("@njit(", "@njit(forceinline=True, ")  # too large to inline by itself
_KERNEL = "@njit(parallel={}, cache=True, error_model='numpy', nogil=True)"


class Flags(NamedTuple):
    """What a kernel may take for granted: of its grid (see ``lowering.Lowered``), of its scales
    (that they are powers of two, that they have to cover draws, that they change from element to
    element), of draws: their grid, their form and their law."""

    general: int = False
    mirrored: bool = False
    saturating: bool = False
    power: bool = False
    reach: bool = False
    uniform: bool = False
    sparse: bool = False
    across: bool = False
    short: bool = False
    law: int = EITHER


Part = tuple[Callable[..., Any], str | None, str]
_STORE = "def store(bits, g, c):\n    return narrow(bits)"
_STORE_CODE = "def store(bits, g, c):\n    return code_bits(bits, g, c)"
_DRAWN = {
    False: (random_loops.known, random_loops.drawn_at, random_loops.draw_run),
    True: (*PARTS["short_draws"], short_draw_loops.draw_run),
}
STEPS = ("langevin", "underdamped", "velocities")
DRAWING = (
    "normals", "draws", "short_draws", "own_draws", "finite_tops", "tops", "block_draws",
    "short_block_draws", *STEPS,
)  # fmt: skip  # loops that need ``draw_text``
SCALES = ("rows", "tiles", "levels", "short_block_draws")  # loops that need ``scale_text``
TASK = 1 << 16  # elements that a thread takes at a time
# elements between two refills of the buffer of random words
CHUNKS = dict.fromkeys(PARTS, 1024) | {"quantize": 2048, "words": 2048}
CHUNKS |= {"rows": 8192, "float_rows": 8192}
GROUP = 8192  # elements of tiles that are taken together
CHUNKS |= {"scaled": 256, "block_draws": 256}  # tiles that share a buffer


def _device(functions: Parts) -> list[Part]:
    return [(f, None, _INLINE if f in INLINED else DEVICE) for f in functions]


def _intrinsics(functions: Parts) -> list[Part]:
    return [(f, None, "@intrinsic") for f in functions]


def lane_text(lane: Lane) -> str:
    """Prelude and core texts for one lane."""
    instructions = module_text("", _intrinsics(INTRINSICS))
    prelude = _PRELUDE.format(constants=constants(lane), intrinsics=instructions)
    fill = random_loops.fill_words if lane.width == 32 else random_loops.fill_long_words
    shared = (*CORE, random_loops.fill_two)
    return module_text(prelude, [*_device(shared), (fill, "fill", DEVICE)])


def mode_text(mode: Mode) -> str:
    """One rounding mode, and rounding with it."""
    return module_text("", [(*part, DEVICE) for part in mode_parts(mode)])


def scale_text(carrier: Carrier) -> str:
    """Choosing block scales on one carrier."""
    return module_text(f"CARRIER_MAX = U({carrier.largest})", _device(SCALE))


def quotient_text() -> str:
    """Blocks with float scales in the 32-bit lane, with a mode."""
    return module_text("", _device((*QUOTIENT, *SHORT)))


def normal_text() -> str:
    """Normals in float64."""
    return module_text("", [(f, None, _INLINE) for f in NORMAL])


def draw_text() -> str:
    """Normals in float32, variance-corrected draws, and steps made of them."""
    return module_text("", [(f, None, _INLINE) for f in (*DRAW, *SHORT_DRAW, *STEP, *UNDERDAMPED)])


def kernel_text(
    loop: str,
    mode: Mode,
    carrier: Carrier,
    flags: Flags,
    encode: bool,
    block: int,
    parallel: bool,
) -> str:
    """The loop for these choices; its entry is called ``kernel``."""
    head = (
        f"CHUNK, BLOCK, STOCHASTIC = {CHUNKS[loop]}, {block}, {mode.stochastic}\n"
        f"OVER = {mode.stochastic and not encode and carrier.stored is carrier.lane.unsigned}\n"
        f"TASK, GROUP, LINE = {TASK}, {GROUP}, {64 // carrier.stored().itemsize}\n"
        f"GENERAL, MIRRORED, SATURATING = {flags.general}, {flags.mirrored}, {flags.saturating}\n"
        f"ENCODE, POWER, REACH = {encode}, {flags.power}, {flags.reach}\n"
        f"UNIFORM, SPARSE, ACROSS = {flags.uniform}, {flags.sparse}, {flags.across}\n"
        f"LAW, WIDE, NARROW = {flags.law}, {WIDE}, {NARROW}\n"
        f"LARGE, FAST = {parallel and not encode}, {parallel}\n\n"
        f"{DEVICE}\n{_STORE_CODE if encode else _STORE}"
    )
    parts = _device(PARTS[loop])
    if loop in STEPS:
        parts = [*_device(_DRAWN[flags.short]), *parts]
    if loop in ("rows", "float_rows"):
        parts = [*_intrinsics((intrinsics.block_maxima,)), *parts]
    moves = [(LOADS[carrier.name], "load", DEVICE), (STORES[carrier.name], "narrow", DEVICE)]
    if loop in ("float_rows", "float_tiles"):
        moves.append((NEAREST[carrier.name], "nearest", DEVICE))
    return module_text(head, [*moves, *parts, (loop_of(loop), "kernel", _KERNEL.format(parallel))])
