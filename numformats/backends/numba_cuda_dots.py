"""The Numba CUDA backend over fused dot products."""

from functools import cache
from typing import Any

import numpy as np

from numformats.backends import numba_cuda_matrix_text as text
from numformats.backends.dot_task import DotRule, DotTask, Factor, ScaledDotTask
from numformats.backends.emitted import load
from numformats.backends.numba_cuda_launch import (
    lane_module,
    launch,
    mode_module,
    module,
    reals_module,
    upload,
    zeros,
)
from numformats.device import DeviceArray
from numformats.lanes import LANE64
from numformats.rounding import Mode


def flat(x: Any) -> Any:
    """An array as kernels index it."""
    return x if isinstance(x, DeviceArray) else x.reshape(-1)


def sizes_of(task: Any, count: int) -> tuple[Any, ...]:
    """M, N and K as kernel arguments."""
    return (*map(np.int64, task.out.shape[1:]), np.int64(count))


def matrix_module(label: str, source: str, *modes: Mode) -> Any:
    """The kernel of ``source`` after the texts of the 64-bit lane and of ``modes``."""
    imports = (lane_module(LANE64), reals_module(LANE64), *(mode_module(m, LANE64) for m in modes))
    return load(module(label, imports, source)).kernel


@cache
def _groups(name: str) -> Any:
    return matrix_module(name, text.groups_text(name))


def _shared(name: str, dtype: Any, x: Any, group: int, axis: int) -> Any:
    """What groups along ``axis`` have in common."""
    out, inner = zeros(x.size // group, dtype, x), x.shape[2] if axis == 1 else 1
    sizes = (np.int64(group), np.int64(inner))
    launch(_groups(name), out.size, x, flat(x), out, *sizes)
    return out


@cache
def _dots(rule: DotRule, mode: Mode, general: bool, wide: bool, nan: int, single: bool) -> Any:
    source = text.dots_text(rule, general, wide, nan, single)
    return matrix_module(f"dots_{rule.finish.__name__}", source, mode)


def dots(task: DotTask) -> None:
    """Fused dot products of every row with every column."""
    single = np.dtype(task.out.dtype) == np.float32
    kernel = _dots(task.rule, task.mode, task.general, task.wide, task.nan, single)
    a = _shared("joined_kinds", np.uint8, task.a.kind, task.group, 2)
    b = _shared("joined_kinds", np.uint8, task.b.kind, task.group, 1)
    arrays = (*_parts(task.a, a), *_parts(task.b, b))
    numbers = (task.spec, task.grid, np.int64(task.group), np.int64(task.run))
    _launch(kernel, task, arrays, task.a.sig.shape[2], numbers)


@cache
def _scaled(mode: Mode, general: bool, nan: int, single: bool) -> Any:
    return matrix_module("scaled_dots", text.scaled_text(general, nan, single), mode)


def scaled_dots(task: ScaledDotTask) -> None:
    """Exact sums of groups, scaled, aligned and added."""
    single = np.dtype(task.out.dtype) == np.float32
    kernel = _scaled(task.mode, task.general, task.nan, single)
    a = _shared("nonzero_masks", np.uint64, task.a, task.group, 2)
    b = _shared("nonzero_masks", np.uint64, task.b, task.group, 1)
    arrays = (task.a, task.b, *_parts(task.a_scale, a), *_parts(task.b_scale, b))
    numbers = (task.spec, task.grid, np.int64(task.group), np.int64(task.count))
    _launch(kernel, task, arrays, task.a.shape[2], numbers)


def _parts(x: Factor, more: Any) -> tuple[Any, ...]:
    return x.sig, x.exp, x.kind, more


def _launch(kernel: Any, task: Any, arrays: tuple[Any, ...], count: int, numbers: Any) -> None:
    at = (upload(v, task.out) for v in (task.a_at, task.b_at))
    given = (*map(flat, arrays), *at, flat(task.out), *sizes_of(task, count), *numbers)
    launch(kernel, task.out.size, task.out, *given)
