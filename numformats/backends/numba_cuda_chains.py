"""The Numba CUDA backend over rounded accumulations."""

from functools import cache
from typing import Any

import numpy as np

from numformats.backends import numba_cuda_matrix_text as text
from numformats.backends.chain_task import ChainTask, PlainTask
from numformats.backends.numba_cuda_dots import flat, matrix_module, sizes_of
from numformats.backends.numba_cuda_launch import launch, mode_module, upload
from numformats.backends.numba_steps import StepCode, code_of, rounding_text, step_grid
from numformats.lanes import LANE64


def _rounding(role: str, code: StepCode) -> str:
    return rounding_text(role, code, mode_module(code.mode, LANE64), "@device")


@cache
def _chains(
    product: StepCode | None, inner: StepCode, outer: StepCode, tree: bool, single: bool
) -> Any:
    codes = {"product": product, "inner": inner, "outer": outer}
    flags = {f"{r.upper()}_RANDOM": bool(c and c.mode.stochastic) for r, c in codes.items()}
    roundings = "".join(_rounding(role, code) for role, code in codes.items() if code)
    flags["PRODUCT"] = product is not None
    return matrix_module("chains", text.chains_text(roundings, flags, tree, single))


def chains(task: ChainTask) -> None:
    """Accumulations that are rounded step by step."""
    steps = [task.product, task.inner, task.outer]
    codes: Any = [code_of(step) for step in steps]
    grids = [step_grid(step or task.inner) for step in steps]
    kernel = _chains(*codes, task.tree, np.dtype(task.out.dtype) == np.float32)
    keys = flat(upload(task.keys.reshape(-1), task.out))
    _launch(kernel, task, (keys, np.uint64(task.first), np.int64(task.chunk)), grids)


@cache
def _plain(kind: str, code: StepCode | None, length: int, single: bool) -> Any:
    rounding = "" if code is None else _rounding("inner", code)
    return matrix_module(f"{kind}_chain", text.plain_text(kind, rounding, length, single))


@cache
def _integers(dtype: str, clamp: bool, length: int) -> Any:
    return matrix_module("integers", text.integers_text(dtype, clamp, length))


def plain(task: PlainTask) -> None:
    """Accumulations with one fixed rule."""
    dtype = np.dtype(task.out.dtype)
    if task.kind == "integer":
        kernel = _integers(dtype.name, task.limits != (0, 0), task.length)
        _launch(kernel, task, tuple(map(np.int64, task.limits)), [])
        return
    kernel = _plain(task.kind, code_of(task.step), task.length, dtype == np.float32)
    _launch(kernel, task, (), [0 if task.step is None else step_grid(task.step)])


def _launch(kernel: Any, task: Any, more: tuple[Any, ...], grids: list[Any]) -> None:
    at = (upload(v, task.out) for v in (task.a_at, task.b_at))
    arrays = (flat(task.a), flat(task.b), *at, flat(task.out))
    given = (*arrays, *more, *sizes_of(task, task.a.shape[2]), *grids)
    launch(kernel, task.out.size, task.out, *given)
