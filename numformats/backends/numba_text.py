"""Source of the Numba CPU kernels, in modules that share what they can.

``lane``: a prelude and the core texts for one lane; ``mode``: one rounding mode on it; ``scale``:
block scales for one carrier; ``kernel``: a load, a store, and one loop. Each is compiled once and
cached.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from numformats.backends import loops, random_loops
from numformats.backends.emit import CORE, ROUND, module_text
from numformats.core import draw, normal, scale
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

U, I = np.uint{width}, np.int{width}
W32, U64, I64, F64 = np.uint32, np.uint64, np.int64, np.float64
SIG_BITS, EXP_BIAS, LAST, LEFT = I({sig}), I({bias}), I({width} - 1), U({width} - 1 - {sig})
ZERO, ONE, ALL, HALF = U(0), U(1), U(2**{width} - 1), U(2 ** ({width} - 1))
MAGNITUDE, HIDDEN, INF_BITS, NAN_BITS = U(2 ** ({width} - 1) - 1), U(1 << {sig}), U({inf}), U({nan})

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

@njit(cache=True)
def where(c, a, b):
    return a if c else b

@njit(cache=True)
def minimum(a, b):
    return a if a < b else b

@njit(cache=True)
def maximum(a, b):
    return a if a > b else b

@njit(cache=True)
def shl(x, s):
    return U(x << U(U(s) & U(LAST)))

@njit(cache=True)
def shr(x, s):
    return U(x >> U(U(s) & U(LAST)))

@njit(cache=True)
def root(x):
    return np.sqrt(x)

@njit(cache=True)
def floor_of(x):
    return np.floor(x)
"""

_LOADS = {
    "float32": "return x",
    "float64": "return x",
    "bfloat16": "return U(U(x) << U(16))",
    "float16": """\
mag = U(U(x) & U(0x7FFF))
    wide = U(U(mag << U(13)) + U(112 << 23))
    wide = U(wide + where(mag >= U(0x7C00), U(112 << 23), ZERO))
    tiny = compose(mag, I(-24))
    out = where(mag < U(0x400), tiny, wide)
    return U(out | U(U(U(x) & U(0x8000)) << U(16)))""",
}
_STORES = {
    "float32": "return bits",
    "float64": "return bits",
    "bfloat16": "return U(bits >> U(16))",
    "float16": """\
    mag = U(bits & MAGNITUDE)
    e = I(shr(mag, SIG_BITS))
    normal = U(U(mag - U(112 << 23)) >> U(13))
    special = U(U(0x7C00) | U(U(mag >> U(13)) & U(0x3FF)))
    tiny = shr(significand(mag), U(minimum(I(I(126) - e), I(31))))
    out = where(mag >= INF_BITS, special, where(e >= I(113), normal, tiny))
    return U(out | U(U(bits >> U(16)) & U(0x8000)))""".strip(),
}
_DEVICE, _KERNEL = (
    "@njit(error_model='numpy', cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)",
    "@njit(parallel=True, cache=True, error_model='numpy', nogil=True)",
)


class Flags(NamedTuple):
    """What a scalar kernel may take for granted of its grid; see ``lowering.Lowered``."""

    general: bool = False
    mirrored: bool = False
    saturating: bool = False


Part = tuple[Callable[..., Any], str | None, str]
Parts = tuple[Callable[..., Any], ...]
_SCALE: Parts = (
    scale.aligned,
    scale.scale_exponent,
    scale.power_bits,
    scale.shifted,
    scale.scaled_grid,
    scale.needs_general,
)
_NORMAL: Parts = (normal.log_unit, normal.central, normal.tail, normal.normal)
_DRAW: Parts = (
    draw.power_below,
    draw.gap,
    draw.gap_below,
    draw.unit,
    draw.reach_gap,
    draw.three_point,
    draw.wide_draw,
    draw.narrow_gap,
    draw.narrow_draw,
    draw.missing,
    draw.draw,
    draw.limit,
)
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
CHUNKS = {name: 4096 if name in ("quantize", "words") else 1024 for name in _PARTS} | {"rows": 8192}


def _device(functions: Parts) -> list[Part]:
    return [(f, None, _DEVICE) for f in functions]


def lane_text(lane: Lane) -> str:
    """Prelude and core texts for one lane."""
    prelude = _PRELUDE.format(
        width=lane.width, sig=lane.sig_bits, bias=lane.bias, inf=lane.inf, nan=lane.nan
    )
    fill = random_loops.fill_words if lane.width == 32 else random_loops.fill_long_words
    return module_text(prelude, [*_device((*CORE, random_loops.fill_two)), (fill, "fill", _DEVICE)])


def mode_text(mode: Mode) -> str:
    """One rounding mode, and rounding with it."""
    return module_text("", [(mode.away, "away", _DEVICE), *_device(ROUND)])


def scale_text(carrier: Carrier) -> str:
    """Choosing block scales on one carrier."""
    return module_text(f"CARRIER_MAX = U({carrier.largest})", _device(_SCALE))


def draw_text() -> str:
    """Normals and variance-corrected draws."""
    inline = _DEVICE.replace("@njit(", "@njit(forceinline=True, ")  # too large to inline by itself
    return module_text("", [(f, None, inline) for f in _NORMAL + _DRAW])


def _loop(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = getattr(loops, name, None) or getattr(random_loops, name)
    return found


def kernel_text(
    loop: str, mode: Mode, carrier: Carrier, flags: Flags, encode: bool, block: int
) -> str:
    """The loop for these choices; its entry is called ``kernel``."""
    head = (
        f"CHUNK, BLOCK, STOCHASTIC = {CHUNKS[loop]}, {block}, {mode.stochastic}\n"
        f"GENERAL, MIRRORED, SATURATING = {flags.general}, {flags.mirrored}, {flags.saturating}\n"
        f"ENCODE = {encode}\n\n{_moves(carrier, encode)}"
    ) + (_AMAX if block else "")
    parts = _PARTS[loop]
    if loop == "rows" and not block:  # a whole block is then never a constant run
        head += f"\n\n{_DEVICE}\ndef stored_amax(x):\n    return x[0]"
    return module_text(head, [*_device(parts), (_loop(loop), "kernel", _KERNEL)])


def _moves(carrier: Carrier, encode: bool) -> str:
    store = "return code_bits(bits, g, c)" if encode else _STORES[carrier.name]
    return (
        f"{_DEVICE}\ndef load(x):\n    {_LOADS[carrier.name]}\n\n"
        f"{_DEVICE}\ndef store(bits, g, c):\n    {store}\n\n"
        f"{_DEVICE}\ndef scale_code(k, amax, b):\n    return U(k - b.low) if amax < INF_BITS else "
        f"ALL"
    )
