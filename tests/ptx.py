"""The Numba CUDA kernels as PTX, without a driver. A process of its own for each target:
``python -m tests.ptx 9.0 [PLANTED]``; prints how many kernels were compiled.
"""

from __future__ import annotations

import sys
import types
import warnings
from typing import Any

import numba.cuda.dispatcher
import numpy as np
from numba import cuda, typeof
from numba import types as kinds

import numformats as nf
from numformats.backends import numba_cuda_launch, numba_cuda_text
from numformats.backends.task import EITHER, NARROW, WIDE
from numformats.block_tasks import levels, scale_spec
from numformats.core.draw import DrawGrid
from numformats.core.underdamped import StepScalars
from numformats.draw_grids import draw_grid, own_draws
from numformats.lanes import CARRIERS, LANE32, Carrier
from numformats.lowering import code_spec, decode_spec, lower
from numformats.rounding import MODES, Mode
from numformats.short_blocks import short

TWO_MODES = ("nearest_even", "stochastic")  # of all carriers and targets; the others of one


def ptx(target: tuple[int, int], loop: str, signature: Any, **how: Any) -> str:
    kernel = numba_cuda_launch.compiled(loop, **how)
    text: str = cuda.compile_ptx(kernel.py_func, signature, cc=target)[0]
    assert f".target sm_{target[0]}{target[1]}" in text
    assert "fma.rn.f64" not in text, "a product and a sum were contracted"
    assert "call" not in text.replace("callseq", ""), "a device function is not inlined"
    return text


def array(dtype: Any) -> Any:
    return typeof(np.empty(1, dtype))


def rounding_kernels(target: tuple[int, int], carrier: Carrier, mode: Mode) -> int:
    lane = carrier.lane
    x, u = array(carrier.stored), typeof(lane.unsigned(0))
    grid, codes = (
        typeof(v) for v in (lower(nf.E4M3, carrier, mode).grid, code_spec(nf.E4M3, lane))
    )
    scale, stream = (
        typeof(scale_spec(nf.MXFP8_E4M3, lane)),
        (kinds.uint32, kinds.uint32, kinds.uint64),
    )
    how, amax = {"mode": mode, "carrier": carrier}, array(lane.unsigned)
    for general in (False, True):
        ptx(target, "quantize", (x, x, *stream, u, grid, codes), general=general, **how)
    ptx(target, "quantize", (x, array(np.uint8), *stream, u, grid, codes), encode=True, **how)
    ptx(target, "wrap", (x, x, *stream, u, grid, codes, u, u, typeof(lane.signed(0))), **how)
    inner = (*stream, u, grid, codes, scale)
    ptx(target, "rows", (x, x, array(np.uint8), *inner), block=32, **how)
    ptx(target, "maxima", (x, amax, *(kinds.uint64,) * 8), carrier=carrier)
    ptx(
        target,
        "tiles",
        (x, x, array(np.uint8), amax, *inner, *(kinds.uint64,) * 8),
        encode=True,
        **how,
    )
    return 7


LONG = typeof(DrawGrid(np.int64(1), *(np.float64(1),) * 4, np.int64(0)))
SCALE = typeof(scale_spec(nf.MXFP4, LANE32))
OWN = tuple(map(typeof, own_draws(draw_grid(nf.E4M3, CARRIERS["float32"]))))
SHORT = OWN[0]


def random_kernels(target: tuple[int, int]) -> int:
    word, first = kinds.uint32, kinds.uint64
    for carrier, dtype in (("float32", np.uint32), ("float64", np.uint64)):
        ptx(target, "words", (array(dtype), word, word, first), carrier=CARRIERS[carrier])
    for dtype in (np.float32, np.float64):
        real, double = array(dtype), array(np.float64)
        loop = "normals" if dtype is np.float32 else "long_normals"
        ptx(target, loop, (real, word, word, first))
        counts, tiling = array(np.uint64), (kinds.uint64,) * 8
        arrays = (real, double, real, double)
        for kind in ("neither", "uniform", "sparse"):
            kinds_of = {name: name == kind for name in ("uniform", "sparse")}
            given = (*arrays, *(word,) * 4, first, LONG, counts, *tiling)
            in_blocks = kind == "neither" or dtype is np.float32
            ptx(target, "draws", given, flags=(in_blocks, True), **kinds_of)
    real = array(np.float32)
    for kind, law in (("", EITHER), ("sparse", EITHER), ("uniform", WIDE), ("uniform", NARROW)):
        kinds_of = {name: name == kind for name in ("uniform", "sparse")}
        given = (real, real, *(word,) * 4, first, SHORT, counts)
        ptx(target, "short_draws", given, short=True, law=law, **kinds_of)
    for kind in ("neither", "uniform", "sparse"):
        kinds_of = {name: name == kind for name in ("uniform", "sparse")}
        given = (real, real, real, *(word,) * 4, first, LONG, *OWN, counts)
        ptx(target, "own_draws", given, **kinds_of)
    tops, found = array(np.uint32), (SHORT, SCALE, kinds.int32, kinds.int32, kinds.float64)
    ptx(target, "draw_maxima", (real, tops, *tiling))
    for uniform in (False, True):
        rule = (*(word,) * 4, first, LONG, *found, counts)
        ptx(target, "draw_rows", (real, real, *rule), block=32, uniform=uniform)
        ptx(target, "draw_tiles", (real, real, tops, *rule, *tiling), uniform=uniform)
    return 22


def scaled_kernels(target: tuple[int, int], mode: Mode) -> int:
    """Blocks with float scales, and decoding; float32 data."""
    real, double, code, tops = (array(t) for t in (np.float32, np.float64, np.uint8, np.uint64))
    tiling, stream = (kinds.uint64,) * 8, (kinds.uint32, kinds.uint32, kinds.uint64, kinds.uint64)
    lane, how = CARRIERS["float64"], levels(nf.NVFP4)
    grid, codes = typeof(how.lowered.grid), typeof(how.codes)
    rule = (typeof(how.spec), typeof(how.power), kinds.boolean, grid, kinds.boolean, codes)
    ptx(target, "tops", (real, double, tops, tops, *tiling), carrier=lane, flags=(True,))
    for encode in (False, True):
        out, more = code if encode else real, {"mode": mode, "carrier": lane, "encode": encode}
        ptx(target, "levels", (tops, tops, double, code, double, kinds.float64, *rule), **more)
        given = (real, out, double, *stream, grid, kinds.boolean, codes, *tiling)
        ptx(target, "scaled", given, **more)
    quotients = short_kernels(target, mode)
    spec = typeof(decode_spec(nf.E2M1, lane.lane))
    ptx(target, "decoded", (code, real, spec), carrier=lane)
    ptx(target, "block_decoded", (code, real, double, kinds.float64, spec, *tiling), carrier=lane)
    return 7 + quotients


def short_kernels(target: tuple[int, int], mode: Mode) -> int:
    """Blocks with float scales in the 32-bit lane, where ``mode`` allows it."""
    how, real, code = levels(nf.NVFP4), array(np.float32), array(np.uint8)
    tops, double, word = array(np.uint64), array(np.float64), kinds.uint32
    stream, tiling = (word, word, kinds.uint64, word), (kinds.uint64,) * 8
    found = short(nf.NVFP4, mode, how.mode, CARRIERS["float32"])
    if found is None:
        return 0
    ptx(target, "finite_top", (real, tops))
    low, codes = typeof(found.level.grid), typeof(found.codes)
    for encode in (False, True):
        out, spec = code if encode else real, typeof(how.spec)
        whole = (tops, double, kinds.float64)
        given = (real, out, code, *whole, *stream, spec, low, codes, low, codes)
        modes = {"mode": mode, "level_mode": how.mode}
        ptx(target, "float_rows", given, encode=encode, block=16, **modes)
        given = (real, out, double, *stream, low, kinds.boolean, codes, *tiling)
        ptx(target, "scaled", given, mode=mode, encode=encode)
    return 5


def step_kernel(target: tuple[int, int], mode: Mode) -> int:
    """A Langevin step."""
    real, lane = array(np.float32), CARRIERS["float32"]
    grid = typeof(lower(nf.E4M3, lane, mode).grid)
    scalars = (*(kinds.float32,) * 3, kinds.float64)
    rest = (kinds.boolean, kinds.float32, kinds.float32, *(kinds.uint32,) * 8, kinds.uint64)
    for kind in (LONG, SHORT):
        given = (*(real,) * 4, *scalars, grid, grid, kind, *rest, array(np.uint64))
        ptx(target, "langevin", given, mode=mode, flags=(True,) * 6, short=kind is SHORT)
    return 2


def underdamped_kernels(target: tuple[int, int], mode: Mode) -> int:
    """An underdamped step, and its velocity."""
    real, lane, found = array(np.float32), CARRIERS["float32"], array(np.uint64)
    grid = typeof(lower(nf.E4M3, lane, mode).grid)
    scalars = typeof(StepScalars(*(np.float32(1),) * 13))
    limits, word = (kinds.boolean, kinds.float32, kinds.float32), kinds.uint32
    for kind in (LONG, SHORT):
        given = (*(real,) * 7, kinds.float32, scalars, kinds.float64, *(grid,) * 4, kind, *limits)
        given = (*given, *(word,) * 10, kinds.uint64, found)
        ptx(target, "underdamped", given, mode=mode, flags=(True,) * 7, short=kind is SHORT)
    given = (real, real, kinds.float64, kinds.float64, grid, LONG, *OWN, *limits, *(word,) * 4)
    ptx(target, "velocities", (*given, kinds.uint64, found), mode=mode, flags=(True,))
    return 3


def main() -> None:
    warnings.simplefilter("ignore")
    major, minor = map(int, sys.argv[1].split("."))
    device = types.SimpleNamespace(compute_capability=(major, minor))
    numba.cuda.dispatcher.get_current_device = lambda: device  # only asked for its target
    if sys.argv[2:]:
        emitted = numba_cuda_text.mode_text
        numba_cuda_launch.mode_text = lambda mode: emitted(mode).replace(
            "significand(mag)", "significant(mag)"
        )
    done = random_kernels((major, minor))
    for carrier in CARRIERS.values():
        for mode in MODES.values():
            if mode.name in TWO_MODES or (carrier.name == "float32" and major == 9):
                done += rounding_kernels((major, minor), carrier, mode)
    for name in TWO_MODES:
        done += scaled_kernels((major, minor), MODES[name])
        done += step_kernel((major, minor), MODES[name])
        done += underdamped_kernels((major, minor), MODES[name])
    print(f"{done} kernels compiled for sm_{major}{minor}")


if __name__ == "__main__":
    main()
