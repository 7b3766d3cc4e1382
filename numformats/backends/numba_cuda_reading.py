"""The Numba CUDA backend that reads operands of matrix products, and gives results their dtype."""

from functools import cache
from typing import Any

import numpy as np

from numformats.backends import numba_cuda_reading_text as text
from numformats.backends.dot_task import NO_TERM, SplitTask
from numformats.backends.emitted import load
from numformats.backends.numba_cuda_dots import flat, matrix_module
from numformats.backends.numba_cuda_launch import (
    compiled,
    lane_module,
    launch,
    mode_module,
    module,
    reals_module,
    scratch,
    upload,
)
from numformats.backends.numba_cuda_launch import (
    read as fetched,
)
from numformats.backends.numba_cuda_launch import (
    zeros as zeroed,
)
from numformats.backends.numba_steps import StepCode, code_of, rounding_text, step_grid
from numformats.backends.reading_task import (
    AddTask,
    CastTask,
    FactorTask,
    IntegersTask,
    Layout,
    ReadTask,
    WrapTask,
    flat_layout,
)
from numformats.device import DeviceArray
from numformats.lanes import LANE32, LANE64, Carrier


def empty(shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
    """Scratch memory where ``like`` lies."""
    return scratch(shape, dtype, like)


def zeros(shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
    """As ``empty``, of zeros."""
    made = scratch(shape, dtype, like)
    clear(made)
    return made


def clear(out: Any) -> None:
    """Fill an array with zeros."""
    launch(compiled("clear"), out.size, out, flat(out))


def seen(found: Any) -> int:
    """What tasks noted in ``found``; waits for the device."""
    owner = found.owner if isinstance(found, DeviceArray) else found
    return int(fetched(owner, found)[0])


@cache
def _factors(carrier: Carrier, magnitude: bool, scaled: bool) -> Any:
    source = text.factors_text(carrier, magnitude, scaled)
    return load(module(f"factors_{carrier.name}", (lane_module(carrier.lane),), source)).kernel


def split(task: SplitTask) -> int:
    """Split a flat operand; the join of all kinds."""
    n = task.x.size
    made = (task.sig, task.exp, task.kind)
    how = (flat_layout(n), (0, NO_TERM, 4), False, None, 1, True, None)
    return _split(task.x, task.carrier, task.spec, made, *how)


def factors(task: FactorTask) -> int:
    """Split an operand into a layout; the join of all kinds."""
    made = (task.out.sig, task.out.exp, task.out.kind)
    asked = (task.asked, task.found)
    how = (task.layout, task.fill, task.magnitude, task.scale, task.block, *asked)
    return _split(task.x, task.carrier, task.spec, made, *how)


def _split(
    x: Any, carrier: Carrier, spec: Any, made: Any, layout: Layout, fill: tuple[int, int, int],
    magnitude: bool, scale: Any, block: int, asked: bool, found: Any,
) -> int:  # fmt: skip
    noted = zeroed(1, np.uint32, x) if found is None else found
    scales = (noted, noted) if scale is None else (scale.exp, scale.kind)
    kernel = _factors(carrier, magnitude, scale is not None)
    arrays = map(flat, (x, *made, noted, *scales))
    numbers = (np.int64(block), tuple(map(np.int64, fill)), spec)
    launch(kernel, layout.size, x, *arrays, *numbers, *_layout(layout, x))
    return int(fetched(noted, x)[0]) if asked and found is None else 0


def _layout(g: Layout, like: Any) -> tuple[Any, ...]:
    """A layout as kernel arguments; tables that are not there have one element."""
    tables = (np.zeros(1, np.int64) if t is None else t for t in (g.lines, g.places))
    there = (t is not None for t in (g.lines, g.places))
    counts, strides = (g.outer, g.stored, g.inner, g.count), (g.first, g.line, g.step, g.column)
    sizes = (*counts, *strides, *there)
    return (tuple(map(np.int64, sizes)), *(flat(upload(t, like)) for t in tables))


@cache
def _reader(source: str, flags: tuple[tuple[str, bool], ...], code: StepCode | None) -> Any:
    return matrix_module("read", text.read_text(source, dict(flags), _rounding("check", code)))


def _rounding(role: str, code: StepCode | None) -> str:
    if code is None:
        return ""
    return rounding_text(role, code, mode_module(code.mode, LANE64), "@device")


def read(task: ReadTask) -> bool:
    """Read numbers; whether some are no values of the format."""
    flags = {
        "CHECKS": task.check is not None, "HAS_NAN": task.nan, "FLUSHES": task.low > 0,
        "SIGNED": task.signed_zero, "SCALES": task.scale_exp != 0,
        "SINGLE": np.dtype(task.out.dtype) == np.float32,
    }  # fmt: skip
    kernel = _reader(task.carrier.name, tuple(flags.items()), code_of(task.check))
    noted = zeroed(1, np.uint32, task.x) if task.found is None else task.found
    numbers = (np.float64(task.low), np.float64(2.0**task.scale_exp))
    g = 0 if task.check is None else step_grid(task.check)
    arrays = map(flat, (task.x, task.out, noted))
    launch(kernel, task.out.size, task.x, *arrays, *numbers, *_layout(task.layout, task.x), g)
    asked = task.check is not None and task.found is None
    return asked and int(fetched(noted, task.x)[0]) > 0


@cache
def _adder(code: StepCode, single: bool) -> Any:
    return matrix_module("add", text.add_text(_rounding("sum", code), single))


def add(task: AddTask) -> None:
    """Add an array to another, rounded."""
    code = code_of(task.step)
    assert code is not None
    kernel = _adder(code, np.dtype(task.out.dtype) == np.float32)
    arrays = (flat(task.x), flat(task.out))
    launch(kernel, task.out.size, task.x, *arrays, step_grid(task.step), np.uint64(task.nan))


@cache
def _caster(source: Carrier, target: Carrier, puts: bool) -> Any:
    imports = (lane_module(LANE32), reals_module(LANE32))
    label = f"{'put' if puts else 'cast'}_{source.name}_{target.name}"
    return load(module(label, imports, text.cast_text(source, target, puts))).kernel


def cast(task: CastTask) -> None:
    """Give numbers another dtype."""
    kernel = _caster(task.source, task.target, task.puts)
    arrays = (flat(task.x), flat(task.out))
    launch(kernel, task.layout.size, task.x, *arrays, *_layout(task.layout, task.x))


@cache
def _integers(unsigned: bool) -> Any:
    return matrix_module("read_integers", text.integers_text(unsigned))


def read_integers(task: IntegersTask) -> bool:
    """Read integers; whether some are beyond the limits."""
    kernel = _integers(np.dtype(task.x.dtype).kind == "u")
    noted = zeroed(1, np.uint32, task.x) if task.found is None else task.found
    arrays, limits = map(flat, (task.x, task.out, noted)), map(np.int64, task.limits)
    launch(kernel, task.out.size, task.x, *arrays, *limits, *_layout(task.layout, task.x))
    asked = task.asked and task.found is None
    return asked and int(fetched(noted, task.x)[0]) > 0


@cache
def _wrapper(dtype: str) -> Any:
    return matrix_module("wrap_integers", text.wrap_text(dtype))


def wrap_integers(task: WrapTask) -> None:
    """Reduce integers to fewer bits."""
    kernel = _wrapper(np.dtype(task.x.dtype).name)
    spare = np.dtype(task.x.dtype).type(task.spare)
    arrays = (flat(task.x), flat(task.out))
    launch(kernel, task.x.size, task.x, *arrays, spare, *_layout(task.layout, task.x))
