"""Rounded accumulations on the CPU through Numba: emitted kernels, cached on disk."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numformats.backends import chain_loops, intrinsics, paired_loops, plain_loops
from numformats.backends.chain_task import ChainTask, PlainTask
from numformats.backends.dot_texts import CHAIN
from numformats.backends.emit import module_text
from numformats.backends.emitted import load
from numformats.backends.numba_kernels import lane_module, mode_module, module
from numformats.backends.numba_steps import (
    STEP_GRID,
    StepCode,
    code_of,
    rounding_text,
    step_grid,
)
from numformats.backends.numba_text import DEVICE
from numformats.backends.threads import remembered, threads_for
from numformats.lanes import LANE64

Kernel = Callable[..., None]
COLS = 256  # results of a task
STEP_WORK = 8  # a rounded step costs as much as this many plain ones
_KERNEL = "@njit(parallel=True, cache=True, error_model='numpy', nogil=True)"
_SEQUENCE = (
    chain_loops.draw,
    chain_loops.multiply,
    chain_loops.add_inner,
    chain_loops.multiply_add,
    chain_loops.add_outer,
    chain_loops.sequence,
)
_TREE = (
    chain_loops.draw,
    chain_loops.multiply,
    chain_loops.add_inner,
    chain_loops.add_outer,
    chain_loops.pairwise,
)
_PLAIN: dict[str, tuple[Callable[..., Any], ...]] = {
    "fma": (plain_loops.fma_row, plain_loops.fma_chains),
    "exact": (plain_loops.exact_group, plain_loops.special_group, plain_loops.exact_chains),
    "flushed": (
        plain_loops.flushed_product,
        plain_loops.flushed_sum,
        plain_loops.flushed_row,
        plain_loops.flushed_chains,
    ),
    "integer": (plain_loops.integer_row, plain_loops.integer_tile, plain_loops.integers),
}
_PAIRED = {
    "vdpbf16ps": paired_loops.vdpbf16ps_row,
    "tdpbf16ps": paired_loops.tdpbf16ps_row,
    "bfdot": paired_loops.bfdot_row,
}


def _rounding(role: str, code: StepCode) -> str:
    return rounding_text(role, code, mode_module(code.mode, LANE64), DEVICE)


def _parts(functions: tuple[Callable[..., Any], ...]) -> list[Any]:
    return [(f, None, DEVICE) for f in functions]


@remembered
def _chains(product: StepCode | None, inner: StepCode, outer: StepCode, tree: bool) -> Kernel:
    codes = {"product": product, "inner": inner, "outer": outer}
    head = f"COLS, PRODUCT = {COLS}, {product is not None}\n{STEP_GRID}"
    for role, code in codes.items():
        head += f"{role.upper()}_RANDOM = {bool(code and code.mode.stochastic)}\n"
    head += "".join(_rounding(role, code) for role, code in codes.items() if code)
    loops = _TREE if tree else _SEQUENCE
    row = chain_loops.tree_row if tree else chain_loops.sequence_row
    text = module_text(
        head,
        [
            *_parts(CHAIN),
            *_parts(loops),
            (row, "chain_row", DEVICE),
            (chain_loops.chains, "kernel", _KERNEL),
        ],
    )
    compiled: Kernel = load(module("chains", (lane_module(LANE64),), text)).kernel
    return compiled


def chains(task: ChainTask) -> None:
    """Accumulations that are rounded step by step."""
    steps = [task.product, task.inner, task.outer]
    codes: Any = [code_of(step) for step in steps]
    grids = [step_grid(step or task.inner) for step in steps]
    levels = max(task.chunk - 1, 0).bit_length() if task.tree else 0
    run = _chains(*codes, task.tree)
    with threads_for(task.out.size * task.a.shape[2] * STEP_WORK):
        run(
            task.a, task.b, task.a_at, task.b_at, task.out, task.chunk, levels, task.keys,
            task.first, *grids,
        )  # fmt: skip


@remembered
def _plain(kind: str, code: StepCode | None, extra: str) -> Kernel:
    *helpers, entry = _PLAIN[kind]
    head = f"COLS = {COLS}\n{STEP_GRID}{extra}\n"
    if code is not None:
        head += _rounding("inner", code)
    fused = [(intrinsics.fused, None, "@intrinsic")] if kind == "fma" else []
    text = module_text(
        head, [*fused, *_parts(CHAIN), *_parts(tuple(helpers)), (entry, "kernel", _KERNEL)]
    )
    compiled: Kernel = load(module(f"{kind}_chains", (lane_module(LANE64),), text)).kernel
    return compiled


@remembered
def _paired(instruction: str, tile: int, code: StepCode) -> Kernel:
    head = f"COLS, TILE, LOW = {COLS}, {tile}, np.float32(2.0**-126)\n{STEP_GRID}"
    head += _rounding("inner", code)
    row = (_PAIRED[instruction], "paired_row", DEVICE)
    helpers = _parts((paired_loops.step, paired_loops.odd_single))
    entry = (paired_loops.paired_chains, "kernel", _KERNEL)
    text = module_text(head, [*_parts(CHAIN), *helpers, row, entry])
    compiled: Kernel = load(module(f"{instruction}_chains", (lane_module(LANE64),), text)).kernel
    return compiled


def plain(task: PlainTask) -> None:
    """Accumulations with one fixed rule."""
    with threads_for(task.out.size * task.a.shape[2]):
        _run_plain(task)


def _run_plain(task: PlainTask) -> None:
    common = (task.a, task.b, task.a_at, task.b_at, task.out)
    if task.kind == "fma":
        _plain("fma", None, "")(*common, task.out.dtype.type(np.nan))
    elif task.kind == "exact":
        assert task.step is not None
        _plain("exact", code_of(task.step), "")(*common, task.length, step_grid(task.step))
    elif task.kind == "flushed":
        run = _plain("flushed", None, f"PAIR = {task.length}")
        run(*common, np.float32(task.lows[2]), np.float32(np.nan))
    elif task.kind in _PAIRED:
        code = code_of(task.step)
        assert task.step is not None
        assert code is not None
        run = _paired(task.kind, task.length, code)
        run(*common, np.float32(np.nan), step_grid(task.step))
    else:
        clamp = task.limits != (0, 0)
        run = _plain("integer", None, f"A, CLAMP = np.{task.out.dtype.name}, {clamp}")
        run(*common, *task.limits, task.length)
