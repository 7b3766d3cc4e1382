"""Source of the Numba CPU kernels, in modules that share what they can.

``lane``: a prelude and the core texts for one lane; ``mode``: one rounding mode on it; ``scale``:
block scales for one carrier; ``kernel``: a load, a store, and one loop. Each is compiled once and
cached.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from numformats.backends import loops, random_loops
from numformats.backends.emit import (
    CORE,
    DRAW,
    LOADS,
    ROUND,
    SCALE,
    STORES,
    constants,
    module_text,
)
from numformats.core import scale
from numformats.lanes import Carrier, Lane
from numformats.rounding import Mode

_PRELUDE = """\
import numpy as np
from numba import njit, prange
from numba.extending import intrinsic
from llvmlite import ir
from numformats.core.draw import DrawGrid
from numformats.core.grid import CodeSpec, Grid
from numformats.core.scale import ScaleSpec

{constants}
@intrinsic
def leading_zeros(context, x):
    def build(ctx, builder, signature, args):
        return builder.ctlz(args[0], ir.Constant(ir.IntType(1), 0))
    return x(x), build

@intrinsic
def real_to_bits(context, x):
    from numba.core import types
    def build(ctx, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))
    return types.uint64(types.float64), build

@intrinsic
def bits_to_real(context, x):
    from numba.core import types
    def build(ctx, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())
    return types.float64(types.uint64), build

@njit(cache=True)
def bit_length(x):
    return I(I(LAST + I(1)) - I(leading_zeros(U(x))))

@intrinsic
def where(context, c, a, b):
    def build(ctx, builder, signature, args):
        return builder.select(args[0], args[1], args[2])
    return (a(c, a, b), build) if a == b else None

@njit(cache=True)
def minimum(a, b):
    return where(a < b, a, b)

@njit(cache=True)
def maximum(a, b):
    return where(a > b, a, b)

@intrinsic
def shift_left(context, x, s):
    def build(ctx, builder, signature, args):
        inside = builder.icmp_unsigned("<", args[1], ir.Constant(args[1].type, {width}))
        return builder.select(inside, builder.shl(*args), ir.Constant(args[0].type, 0))
    return x(x, s), build

@intrinsic
def shift_right(context, x, s):
    def build(ctx, builder, signature, args):
        inside = builder.icmp_unsigned("<", args[1], ir.Constant(args[1].type, {width}))
        return builder.select(inside, builder.lshr(*args), ir.Constant(args[0].type, 0))
    return x(x, s), build

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
"""

_DEVICE = "@njit(error_model='numpy', cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)"
_KERNEL = "@njit(parallel={}, cache=True, error_model='numpy', nogil=True)"


class Flags(NamedTuple):
    """What a scalar kernel may take for granted of its grid; see ``lowering.Lowered``."""

    general: bool = False
    mirrored: bool = False
    saturating: bool = False


Part = tuple[Callable[..., Any], str | None, str]
Parts = tuple[Callable[..., Any], ...]
_ROWS: Parts = (
    loops.amax_of,
    loops.amax_blocks,
    loops.round_run,
    loops.grid_at,
    loops.round_blocks,
    loops.round_blocks_with,
    loops.prepare,
    loops.rows_task,
)
_PARTS: dict[str, Parts] = {
    "quantize": (loops.shaped, loops.round_all, loops.round_all_with),
    "wrap": (),
    "rows": (scale.block_bits, *_ROWS),
    "tiles": (scale.block_bits, loops.lanes, loops.tiles_task),
    "words": (),
    "normals": (),
    "draws": (random_loops.draw_run,),
}
# LLVM unrolls a reduction over a short block into scalar branches, so it is spelled as one vector.
_AMAX = """

@intrinsic
def stored_amax(context, x):
    from numba.core import cgutils
    def build(ctx, builder, signature, args):
        array = signature.args[0]
        element = ctx.get_data_type(array.dtype)
        vector = ir.VectorType(element, BLOCK)
        data = ctx.make_array(array)(ctx, builder, args[0]).data
        pointer = builder.bitcast(data, vector.as_pointer())
        values = builder.load(pointer, align=element.width // 8)
        mask = ir.Constant(vector, [(1 << (element.width - 1)) - 1] * BLOCK)
        name = f"llvm.vector.reduce.umax.v{BLOCK}i{element.width}"
        kind = ir.FunctionType(element, [vector])
        reduce = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(reduce, [builder.and_(values, mask)])
    return x.dtype(x), build"""
_STORE = "def store(bits, g, c):\n    return narrow(bits)"
_STORE_CODE = "def store(bits, g, c):\n    return code_bits(bits, g, c)"
CHUNKS = {name: 4096 if name in ("quantize", "words") else 1024 for name in _PARTS} | {"rows": 8192}


def _device(functions: Parts) -> list[Part]:
    return [(f, None, _DEVICE) for f in functions]


def lane_text(lane: Lane) -> str:
    """Prelude and core texts for one lane."""
    prelude = _PRELUDE.format(constants=constants(lane), width=lane.width)
    fill = random_loops.fill_words if lane.width == 32 else random_loops.fill_long_words
    return module_text(prelude, [*_device((*CORE, random_loops.fill_two)), (fill, "fill", _DEVICE)])


def mode_text(mode: Mode) -> str:
    """One rounding mode, and rounding with it."""
    return module_text("", [(mode.away, "away", _DEVICE), *_device(ROUND)])


def scale_text(carrier: Carrier) -> str:
    """Choosing block scales on one carrier."""
    return module_text(f"CARRIER_MAX = U({carrier.largest})", _device(SCALE))


def draw_text() -> str:
    """Normals and variance-corrected draws."""
    inline = _DEVICE.replace("@njit(", "@njit(forceinline=True, ")  # too large to inline by itself
    return module_text("", [(f, None, inline) for f in DRAW])


def _loop(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(loops, name, None) or getattr(random_loops, name)
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
        f"GENERAL, MIRRORED, SATURATING = {flags.general}, {flags.mirrored}, {flags.saturating}\n"
        f"ENCODE = {encode}\n\n{_DEVICE}\n{_STORE_CODE if encode else _STORE}\n\n"
        f"{_AMAX if block else ''}"
    )
    parts = _device(_PARTS[loop])
    if loop == "rows" and not block:  # a whole block is then never a constant run
        head += f"\n\n{_DEVICE}\ndef stored_amax(x):\n    return x[0]"
    moves = [(LOADS[carrier.name], "load", _DEVICE), (STORES[carrier.name], "narrow", _DEVICE)]
    return module_text(head, [*moves, *parts, (_loop(loop), "kernel", _KERNEL.format(parallel))])
