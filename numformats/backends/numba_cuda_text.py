"""Source of the Numba CUDA kernels: the core texts as device functions, in modules that kernels
share, as for the CPU.
"""

from collections.abc import Callable
from typing import Any

from numformats.backends.emit import (
    BLOCK_DRAW,
    CORE,
    DRAW,
    ELEMENTS,
    LOADS,
    NORMAL,
    QUOTIENT,
    SCALE,
    SHORT,
    SHORT_DRAW,
    STEP,
    STORES,
    UNDERDAMPED,
    UNITS,
    constants,
    mode_parts,
    module_text,
)
from numformats.backends.numba_cuda_parts import DRAWN, FLOATS, INDICES, PARTS, STEPS, loop_of
from numformats.backends.numba_cuda_reals import real_text
from numformats.backends.task import NARROW, WIDE
from numformats.lanes import LANE64, Carrier, Lane
from numformats.rounding import Mode

_PRELUDE = """\
import numpy as np
from numba import config, cuda
from numformats.core.decode import DecodeSpec
from numformats.core.draw import DrawGrid
from numformats.core.short_draw import Place, ShortDraw
from numformats.core.grid import CodeSpec, Grid
from numformats.core.scale import ScaleSpec
from numformats.core.scaled import LevelSpec

{constants}
WIDTH, SHARED = {width}, np.uint{width}
device = cuda.jit(device=True, **({{}} if config.ENABLE_CUDASIM else {{"forceinline": True}}))

@device
def where(c, a, b):
    return a if c else b

@device
def minimum(a, b):
    return a if a < b else b

@device
def maximum(a, b):
    return a if a > b else b

{shifts}

@device
def bit_length(x):
    high = W32(U64(x) >> U64(32))
    return I(32 - cuda.clz(W32(x))) if high == W32(0) else I(64 - cuda.clz(high))

@device
def real_to_bits(x):
    return F64(x).view(U64)

@device
def bits_to_real(x):
    return U64(x).view(F64)

@device
def whole_to_bits(n):
    return F{width}(n).view(U)

@device
def single(x):
    return F64(np.float32(x))
"""
_SHIFTS = """\
@device
def shl(x, s):
    return U(x << U(s)) if U(s) <= U(LAST) else ZERO

@device
def shr(x, s):
    return U(x >> U(s)) if U(s) <= U(LAST) else ZERO
"""
# The 32-bit instructions give 0 from the width on by themselves; LLVM would guard them.
_INSTRUCTIONS = """\
if not config.ENABLE_CUDASIM:
    from llvmlite import ir
    from numba import types
    from numba.cuda.extending import intrinsic

    def instruction(text):
        word = ir.IntType(32)
        kind = ir.FunctionType(word, [word, word])

        def build(context, builder, signature, args):
            return builder.asm(kind, text + " $0, $1, $2;", "=r,r,r", args, False)

        return types.uint32(types.uint32, types.uint32), build

    @intrinsic
    def shl(context, x, s):
        return instruction("shl.b32")

    @intrinsic
    def shr(context, x, s):
        return instruction("shr.u32")
"""
_STORE = "@device\ndef store(bits, g, c):\n    return narrow(bits)"
_STORE_CODE = "@device\ndef store(bits, g, c):\n    return code_bits(bits, g, c)"
THREADS = 256  # of a group
KERNEL = "@cuda.jit(cache=not config.ENABLE_CUDASIM)"


def _device(functions: tuple[Callable[..., Any], ...]) -> list[tuple[Any, None, str]]:
    return [(f, None, "@device") for f in functions]


def lane_text(lane: Lane) -> str:
    """Prelude and core texts for one lane."""
    shifts = _SHIFTS + _INSTRUCTIONS * (lane.width == 32)
    prelude = _PRELUDE.format(constants=constants(lane), width=lane.width, shifts=shifts)
    return module_text(prelude, _device((*CORE, *INDICES)))


def mode_text(mode: Mode) -> str:
    """One rounding mode, and rounding with it."""
    return module_text("", [(*part, "@device") for part in mode_parts(mode)])


def scale_text(carrier: Carrier) -> str:
    """Choosing block scales on one carrier."""
    return module_text(f"CARRIER_MAX = U({carrier.largest})", _device(SCALE))


def quotient_text() -> str:
    """Blocks with float scales in the 32-bit lane, with a mode."""
    return module_text("", _device((*QUOTIENT, *SHORT)))


def draw_text() -> str:
    """Normals in float32, variance-corrected draws, and steps made of them."""
    return "\n\n".join(map(real_text, (*DRAW, *SHORT_DRAW, *UNITS, *STEP, *UNDERDAMPED))) + "\n"


def block_draw_text() -> str:
    """Draws in blocks."""
    return "\n\n".join(map(real_text, BLOCK_DRAW)) + "\n"


def normal_text() -> str:
    """Normals in float64."""
    return "\n\n".join(map(real_text, NORMAL)) + "\n"


def kernel_text(
    loop: str, mode: Mode, carrier: Carrier, general: bool, plain_inf: bool, encode: bool,
    uniform: bool, sparse: bool, short: bool, law: int, flags: tuple[bool, ...], block: int,
) -> str:  # fmt: skip
    """The loop for these choices; its entry is called ``kernel``."""
    parts = max(block // 4, 1)  # threads that share a block
    head = (
        f"STOCHASTIC, ENCODE = {mode.stochastic}, {encode}\n"
        f"GENERAL, PLAIN_INF = {general}, {plain_inf}\n"
        f"UNIFORM, SPARSE, FLAGS = {uniform}, {sparse}, {flags}\n"
        f"LAW, WIDE, NARROW = {law}, {WIDE}, {NARROW}\n"
        f"BLOCK, PARTS, SPAN = {block}, W32({parts}), {THREADS // parts * parts}\n\n"
        f"{_STORE_CODE if encode else _STORE}"
    )
    moves = [(STORES[carrier.name], "narrow", "@device")]
    if loop in FLOATS:
        head += "\n\nload = float_to_bits"
    else:
        moves.append((LOADS[carrier.name], "load", "@device"))
    kernel = (loop_of(loop), "kernel", KERNEL)
    helpers = PARTS.get(loop, ())
    if loop in STEPS:
        helpers = (*DRAWN[short], *helpers)
    if loop == "scaled" and carrier.lane is LANE64:
        helpers = (*ELEMENTS, *helpers)
    return module_text(head, [*moves, *_device(helpers), kernel])
