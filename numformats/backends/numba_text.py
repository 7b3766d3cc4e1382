"""Source of the Numba CPU kernels: a prelude for the lane, the core texts, a load, a store, and
one loop.
"""

from collections.abc import Callable
from typing import Any

from numformats.backends import loops
from numformats.backends.emit import CORE, module_text
from numformats.core import draw, normal, quantum, scale
from numformats.lanes import Carrier
from numformats.rounding import Mode

_PRELUDE = """\
# Emitted by numformats.backends.numba_cpu; edits are lost.
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
CARRIER_MAX, CHUNK, BLOCK = U({carrier_max}), {chunk}, {block}
STOCHASTIC, GENERAL, ENCODE = {stochastic}, {general}, {encode}

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

@njit
def bit_length(x):
    return I(I(LAST + I(1)) - I(leading_zeros(U(x))))

@njit
def where(c, a, b):
    return a if c else b

@njit
def minimum(a, b):
    return a if a < b else b

@njit
def maximum(a, b):
    return a if a > b else b

@njit
def shl(x, s):
    return U(x << U(U(s) & U(LAST)))

@njit
def shr(x, s):
    return U(x >> U(U(s) & U(LAST)))

@njit
def root(x):
    return np.sqrt(x)

@njit
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
_RULES = {
    "floor": scale.floor_rule,
    "ceil": scale.ceil_rule,
    "rceil": scale.rceil_rule,
    "even": scale.even_rule,
}
_CARRIER_MAX = {
    "float16": 0x477FE000,
    "bfloat16": 0x7F7F0000,
    "float32": 0x7F7FFFFF,
    "float64": (2047 << 52) - 1,
}
_DEVICE, _KERNEL = (
    "@njit(error_model='numpy')",
    "@njit(parallel=True, cache=True, error_model='numpy', nogil=True)",
)
Part = tuple[Callable[..., Any], str | None, str]
_SCALE: tuple[Callable[..., Any], ...] = (
    scale.aligned,
    scale.floor_rule,
    scale.power_bits,
    scale.shifted,
    scale.scaled_grid,
    scale.needs_general,
    scale.block_bits,
)
_RUNS = (
    loops.amax_of, loops.amax_blocks, loops.round_run, loops.grid_at, loops.round_blocks,
    loops.round_blocks_with, loops.prepare, loops.lanes,
)  # fmt: skip
_NORMAL = (normal.log_unit, normal.central, normal.tail, normal.normal)
_DRAW = (
    draw.power_below, draw.gap, draw.gap_below, draw.unit, draw.reach_gap, draw.three_point,
    draw.wide_draw, draw.narrow_gap, draw.narrow_draw, draw.missing, draw.draw, draw.limit,
)  # fmt: skip


CHUNKS = {
    "quantize": 4096,
    "rows": 8192,
    "words": 4096,
    "wrap": 1024,
    "tiles": 1024,
    "normals": 1024,
    "draws": 1024,
}


def kernel_text(
    loop: str, mode: Mode, carrier: Carrier, general: bool, encode: bool, block: int, rule: str
) -> str:
    """The module that holds ``loop`` for these choices, as text; its entry is called ``kernel``."""
    lane = carrier.lane
    prelude = _PRELUDE.format(
        width=lane.width,
        sig=lane.sig_bits,
        bias=lane.bias,
        inf=lane.inf,
        nan=lane.nan,
        chunk=CHUNKS[loop],
        carrier_max=_CARRIER_MAX[carrier.name],
        stochastic=mode.stochastic,
        general=general,
        block=block,
        encode=encode,
    )
    device: list[Part] = [(f, None, _DEVICE) for f in CORE]
    at = CORE.index(quantum.round_bits)
    device.insert(at, (mode.away, "away", _DEVICE))
    if loop == "quantize":
        device += [(loops.round_all, None, _DEVICE), (loops.round_all_with, None, _DEVICE)]
    if loop in ("rows", "tiles"):
        device += [(f, None, _DEVICE) for f in _SCALE]
        if rule != "floor":
            device.append((_RULES[rule], None, _DEVICE))
        device += [(_RULES[rule], "scale_rule", _DEVICE), (scale.scale_exponent, None, _DEVICE)]
        device += [(f, None, _DEVICE) for f in _RUNS]
    if loop in ("normals", "draws"):
        device += [(f, None, _DEVICE) for f in _NORMAL]
    if loop == "draws":
        device += [(f, None, _DEVICE) for f in _DRAW]
    filler = loops.fill_words if lane.width == 32 else loops.fill_long_words
    device.append((filler, "fill", _DEVICE))
    moves = _moves(carrier, encode)
    body = module_text("", [d for d in device if d[0] in CORE or d[1] == "away"])
    rest = module_text("", [d for d in device if not (d[0] in CORE or d[1] == "away")])
    return "\n\n".join(
        [prelude, body, moves, rest, module_text("", [(getattr(loops, loop), "kernel", _KERNEL)])]
    )


def _moves(carrier: Carrier, encode: bool) -> str:
    store = "return code_bits(bits, g, c)" if encode else _STORES[carrier.name]
    return (
        f"{_DEVICE}\ndef load(x):\n    {_LOADS[carrier.name]}\n\n"
        f"{_DEVICE}\ndef store(bits, g, c):\n    {store}\n\n"
        f"{_DEVICE}\ndef scale_code(k, amax, b):\n    return U(k - b.low) if amax < INF_BITS else "
        f"ALL"
    )
