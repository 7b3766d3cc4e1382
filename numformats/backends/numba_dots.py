"""Fused dot products on the CPU through Numba: emitted kernels, cached on disk."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numformats.backends import dot_loops, group_loops
from numformats.backends.dot_task import NO_TERM, DotRule, DotTask, Factor, ScaledDotTask, SplitTask
from numformats.backends.dot_texts import DOT, GROUP, SPLIT, Texts
from numformats.backends.emit import LOADS, module_text
from numformats.backends.emitted import load
from numformats.backends.numba_kernels import lane_module, mode_module, module
from numformats.backends.numba_text import DEVICE
from numformats.backends.threads import remembered, threads_for
from numformats.lanes import LANE64, Carrier
from numformats.rounding import Mode

Kernel = Callable[..., Any]
TASK = 1 << 15  # elements that a thread splits at a time
ROWS, COLS = 32, 256  # a tile: results of a task
_KERNEL = "@njit(parallel=True, cache=True, error_model='numpy', nogil=True)"
_LOOPS = (
    dot_loops.raise_top,
    dot_loops.add_terms,
    dot_loops.sum_part,
    dot_loops.join_flags,
    dot_loops.start,
    dot_loops.end,
    dot_loops.group_row,
    dot_loops.dot_tile,
)
_HEAD = """\
from numformats.core.dot import DotSpec
T, TU, TERM_LAST = np.int{width}, np.uint{width}, np.int{width}({width} - 1)
PARTS, OVERFLOW, DOT_GENERAL, DOT_NAN = {parts}, {overflow}, {general}, U({nan})
ROWS, COLS = {rows}, {cols}

{inline}
def shr_term(x, s):
    return shift_right(TU(x), TU(s))
"""


@remembered
def _splitter(carrier: Carrier) -> Kernel:
    head = f"from numformats.core.operand import SplitSpec\nNO_TERM, TASK = {NO_TERM}, {TASK}\n"
    parts = [(f, None, DEVICE) for f in (*SPLIT, dot_loops.split_run)]
    text = module_text(
        head, [(LOADS[carrier.name], "load", DEVICE), *parts, (dot_loops.split, "kernel", _KERNEL)]
    )
    compiled: Kernel = load(
        module(f"split_{carrier.name}", (lane_module(carrier.lane),), text)
    ).kernel
    return compiled


def split(task: SplitTask) -> int:
    """Split an operand; the join of all kinds."""
    found = np.empty(-(-task.x.size // TASK), np.uint8)
    run = _splitter(task.carrier)
    with threads_for(task.x.size):
        run(task.x, task.sig, task.exp, task.kind, task.spec, found)
    return int(np.bitwise_or.reduce(found)) if found.size else 0


@remembered
def _dots(rule: DotRule, mode: Mode, general: bool, wide: bool, nan: int) -> Kernel:
    head = _HEAD.format(
        width=64 if wide else 32,
        parts=rule.parts,
        overflow=rule.product_overflow,
        general=general,
        nan=nan,
        rows=ROWS,
        cols=COLS,
        inline=DEVICE,
    )
    texts = [(f, None, DEVICE) for f in DOT]
    rules = [(rule.first, "first", DEVICE), (rule.finish, "finish", DEVICE)]
    loops = [(f, None, DEVICE) for f in _LOOPS]
    text = module_text(head, [*texts, *rules, *loops, (dot_loops.dots, "kernel", _KERNEL)])
    compiled: Kernel = load(
        module(
            f"dots_{rule.finish.__name__}", (lane_module(LANE64), mode_module(mode, LANE64)), text
        )
    ).kernel
    return compiled


def unions(task: DotTask) -> tuple[Any, Any]:
    """Joined kinds of every group: of each row of a, and of each column of b."""
    ka, kb = task.a.kind, task.b.kind
    a = np.bitwise_or.reduce(ka.reshape(*ka.shape[:2], -1, task.group), axis=3)
    b = np.bitwise_or.reduce(kb.reshape(kb.shape[0], -1, task.group, kb.shape[2]), axis=2)
    return np.ascontiguousarray(a), np.ascontiguousarray(b)


def may_overflow(task: DotTask) -> bool:
    """Whether some product could be 2**128 or more, where the unit cares."""
    top = int(task.a.exp.max(initial=NO_TERM)) + int(task.b.exp.max(initial=NO_TERM))
    return task.rule.product_overflow and top >= 127


def _parts(x: Factor) -> tuple[Any, Any, Any]:
    return x.sig, x.exp, x.kind


def dots(task: DotTask) -> None:
    """Fused dot products of every row with every column."""
    run = _dots(task.rule, task.mode, task.general, task.wide, task.nan)
    every = may_overflow(task)
    a, b = _parts(task.a), _parts(task.b)
    with threads_for(task.out.size * task.a.sig.shape[2]):
        run(
            a, b, *unions(task), task.a_at, task.b_at, task.out, task.spec, task.grid, task.group,
            task.run, every,
        )  # fmt: skip


@remembered
def _scaled(mode: Mode, general: bool, nan: int, group: int, count: int) -> Kernel:
    head = _HEAD.format(
        width=64, parts=1, overflow=False, general=general, nan=nan, rows=1, cols=COLS,
        inline=DEVICE,
    )  # fmt: skip
    head = head.replace("ROWS, COLS", f"GROUP, COUNT = {group}, {count}\nROWS, COLS")
    loops: Texts = (group_loops.group_sum, group_loops.group_scale, group_loops.scaled_row)
    parts = [(f, None, DEVICE) for f in (*DOT, *GROUP, *loops)]
    text = module_text(head, [*parts, (group_loops.scaled_dots, "kernel", _KERNEL)])
    compiled: Kernel = load(
        module("scaled_dots", (lane_module(LANE64), mode_module(mode, LANE64)), text)
    ).kernel
    return compiled


def scaled_dots(task: ScaledDotTask) -> None:
    """Exact sums of groups, scaled, aligned and added."""
    run = _scaled(task.mode, task.general, task.nan, task.group, task.count)
    nonzero_a, nonzero_b = task.nonzero()
    scale_a, scale_b = (*_parts(task.a_scale), nonzero_a), (*_parts(task.b_scale), nonzero_b)
    places = (task.a_at, task.b_at, task.out)
    with threads_for(task.out.size * task.a.shape[2]):
        run(task.a, scale_a, task.b, scale_b, *places, task.spec, task.grid)
