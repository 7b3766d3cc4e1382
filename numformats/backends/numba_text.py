"""Source of the Numba CPU kernels, in modules that share what they can.

``lane``: a prelude and the core texts for one lane; ``mode``: one rounding mode on it; ``scale``:
block scales for one carrier; ``kernel``: a load, a store, and one loop. Each is compiled once and
cached.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from numformats.backends import (
    block_loops,
    intrinsics,
    langevin_loops,
    loops,
    quotient_loops,
    random_loops,
    scaled_loops,
    tile_loops,
    underdamped_loops,
)
from numformats.backends.emit import (
    CORE,
    DRAW,
    ELEMENTS,
    LEVELS,
    LOADS,
    NEAREST,
    NORMAL,
    QUOTIENT,
    SCALE,
    SHORT,
    STEP,
    STORES,
    UNDERDAMPED,
    UNITS,
    constants,
    mode_parts,
    module_text,
)
from numformats.core import scale, scaled
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

{constants}
{intrinsics}

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
    element), of the grid of draws."""

    general: int = False
    mirrored: bool = False
    saturating: bool = False
    power: bool = False
    reach: bool = False
    uniform: bool = False
    sparse: bool = False
    across: bool = False


Part = tuple[Callable[..., Any], str | None, str]
Parts = tuple[Callable[..., Any], ...]
_INTRINSICS: Parts = (
    intrinsics.leading_zeros,
    intrinsics.real_to_bits,
    intrinsics.bits_to_real,
    intrinsics.float_to_bits,
    intrinsics.bits_to_float,
    intrinsics.whole_to_bits,
    intrinsics.where,
    intrinsics.fused,
    intrinsics.shift_left,
    intrinsics.shift_right,
    intrinsics.prefetch,
)
_POWERS: Parts = (
    scale.block_bits,
    block_loops.amax_of,
    block_loops.grid_at,
    block_loops.round_blocks,
    block_loops.round_any,
    block_loops.made_state,
    block_loops.choose,
    block_loops.round_matrix,
)
_ROWS: Parts = (
    *_POWERS,
    block_loops.amax_blocks,
    block_loops.round_blocks_in_place,
    block_loops.round_blocks_over,
    block_loops.rows_chunk,
    block_loops.rows_task,
)
_TILES: Parts = (
    tile_loops.tops_of,
    tile_loops.tops_of_run,
    tile_loops.round_run,
    tile_loops.group_counts,
    tile_loops.tiles_task,
)
_SCALED: Parts = (scaled_loops.run_of, scaled_loops.scaled_element, scaled_loops.scaled_run)
_FLOAT_SCALES: Parts = (
    scaled.not_a_number,
    scaled.rescaled,
    loops.shaped,
    block_loops.amax_of,
    quotient_loops.moderate_blocks,
    quotient_loops.short_blocks,
    quotient_loops.made_state,
    quotient_loops.choose,
    quotient_loops.round_matrix,
)
_STEPS: Parts = (
    loops.shaped,
    loops.round_over,
    loops.round_all,
    random_loops.known,
    random_loops.draw_run,
    langevin_loops.beyond,
    langevin_loops.rounded_run,
)
_LANGEVIN: Parts = (
    *_STEPS,
    langevin_loops.weighed,
    langevin_loops.moved,
    langevin_loops.diffused,
    langevin_loops.langevin_chunk,
)
_UNDERDAMPED: Parts = (
    *_STEPS,
    langevin_loops.weighed,
    block_loops.amax_of,
    underdamped_loops.means,
    underdamped_loops.shaken,
    underdamped_loops.forced_run,
    underdamped_loops.tied,
    underdamped_loops.underdamped_chunk,
)
_PARTS: dict[str, Parts] = {
    "quantize": (loops.shaped, loops.round_over, loops.round_all, loops.quantize_task),
    "wrap": (loops.wrap_all,),
    "rows": _ROWS,
    "tiles": (*_POWERS, *_TILES),
    "words": (random_loops.copy_run,),
    "normals": (),
    "long_normals": (random_loops.copy_run, random_loops.deviates),
    "draws": (random_loops.roots, random_loops.known, random_loops.draw_run),
    "finite_tops": (scaled.magnitude_of, scaled_loops.seen),
    "tops": (
        scaled.magnitude_of,
        scaled_loops.run_of,
        scaled_loops.seen,
        scaled_loops.top_of_run,
    ),
    "levels": (scaled.not_a_number, *LEVELS),
    "scaled": (*UNITS, *ELEMENTS, *_SCALED),
    "block_draws": (
        *UNITS,
        scaled_loops.run_of,
        random_loops.roots,
        random_loops.known,
        random_loops.draw_run,
        scaled_loops.in_block_units,
        scaled_loops.out_of_units,
    ),
    "finite_top": (),
    "float_rows": (*_FLOAT_SCALES, block_loops.amax_blocks),
    "float_tiles": (*_FLOAT_SCALES, *_TILES),
    "decoded": (),
    "langevin": _LANGEVIN,
    "underdamped": _UNDERDAMPED,
    "velocities": (*_STEPS, random_loops.roots, underdamped_loops.velocity_chunk),
    "block_decoded": (scaled_loops.run_of,),
}
_MODULES = (
    loops,
    block_loops,
    random_loops,
    scaled_loops,
    quotient_loops,
    langevin_loops,
    underdamped_loops,
)
_STORE = "def store(bits, g, c):\n    return narrow(bits)"
_STORE_CODE = "def store(bits, g, c):\n    return code_bits(bits, g, c)"
TASK = 1 << 16  # elements that a thread takes at a time
# elements between two refills of the buffer of random words
CHUNKS = dict.fromkeys(_PARTS, 1024) | {"quantize": 2048, "words": 2048}
CHUNKS |= {"rows": 8192, "float_rows": 8192}
GROUP = 8192  # elements of tiles that are taken together
CHUNKS |= {"scaled": 256, "block_draws": 256}  # tiles that share a buffer


def _device(functions: Parts) -> list[Part]:
    return [(f, None, DEVICE) for f in functions]


def _intrinsics(functions: Parts) -> list[Part]:
    return [(f, None, "@intrinsic") for f in functions]


def lane_text(lane: Lane) -> str:
    """Prelude and core texts for one lane."""
    instructions = module_text("", _intrinsics(_INTRINSICS))
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
    return module_text("", [(f, None, _INLINE) for f in (*DRAW, *STEP, *UNDERDAMPED)])


def _loop(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = next(getattr(m, name) for m in _MODULES if hasattr(m, name))
    return found


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
        f"LARGE, FAST = {parallel and not encode}, {parallel}\n\n"
        f"{DEVICE}\n{_STORE_CODE if encode else _STORE}"
    )
    parts = _device(_PARTS[loop])
    if loop in ("rows", "float_rows"):
        parts = [*_intrinsics((intrinsics.block_maxima,)), *parts]
    moves = [(LOADS[carrier.name], "load", DEVICE), (STORES[carrier.name], "narrow", DEVICE)]
    if loop in ("float_rows", "float_tiles"):
        moves.append((NEAREST[carrier.name], "nearest", DEVICE))
    return module_text(head, [*moves, *parts, (_loop(loop), "kernel", _KERNEL.format(parallel))])
