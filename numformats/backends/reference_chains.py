"""Rounded accumulations on NumPy arrays, one step after another; sums with one rounding in exact
rationals, one result at a time."""

from fractions import Fraction
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from numformats.backends.chain_task import ChainTask, PlainTask, Step
from numformats.backends.dot_texts import CHAIN
from numformats.backends.emit import constants, module_text
from numformats.backends.reference_rounding import scalar
from numformats.backends.task import Rule, ScalarTask
from numformats.core.grid import CodeSpec
from numformats.core.lane import fused
from numformats.lanes import CARRIERS, LANE64

_PRELUDE = """\
import numpy as np
from numformats.core.lane import bits_to_real, real_to_bits

{constants}
where = np.where
"""
_NO_CODES = CodeSpec(*[np.uint64(0)] * 7)


@cache
def _texts() -> SimpleNamespace:
    source = module_text(
        _PRELUDE.format(constants=constants(LANE64)), [(f, None, "") for f in CHAIN]
    )
    names: dict[str, Any] = {}
    exec(compile(source, "<core texts>", "exec"), names)
    return SimpleNamespace(**names)


class Events:
    """The random words of one rounding event after another."""

    def __init__(self, keys: Any, first: int) -> None:
        self.keys, self.first, self.next = keys, first, 0

    def round(self, bits: Any, step: Step) -> Any:
        """Float64 patterns rounded by ``step``, as numbers."""
        out = np.empty(bits.size, np.uint64)
        words = tuple(self.keys[self.next if step.mode.stochastic else 0])
        rule = Rule(CARRIERS["float64"], step.lowered, _NO_CODES, step.mode, step.wrapping)
        scalar(ScalarTask(bits.reshape(-1), out, rule, words, self.first, step.spare, False))
        self.next += 1
        return out.view(np.float64).reshape(bits.shape)

    def add(self, x: Any, y: Any, step: Step) -> Any:
        """``x + y`` rounded by ``step``."""
        return self.round(_texts().add_odd(x, y), step)


def chains(task: ChainTask) -> None:
    """Accumulations that are rounded step by step."""
    for x, (y, z) in enumerate(zip(task.a_at, task.b_at, strict=True)):
        first = task.first + x * task.out[x].size
        a, b = task.a[y].astype(np.float64), task.b[z].astype(np.float64)
        with np.errstate(all="ignore"):
            total = _chain(task, a, b, task.out[x].astype(np.float64), Events(task.keys, first))
            bits = _texts().plain_nan(total.view(np.uint64))
            task.out[x] = bits.view(np.float64)


def _chain(task: ChainTask, a: Any, b: Any, c: Any, events: Events) -> Any:
    if task.chunk == 0:
        return _sequence(task, a, b, c, events)
    for k in range(0, a.shape[1], task.chunk):
        end = k + task.chunk
        add = _tree if task.tree else _sequence
        part = add(task, a[:, k:end], b[k:end], np.zeros(c.shape), events)
        c = events.add(c, part, task.outer)
    return c


def _product(task: ChainTask, a: Any, b: Any, events: Events) -> Any:
    p = a[:, None] * b
    return p if task.product is None else events.round(p.view(np.uint64), task.product)


def _sequence(task: ChainTask, a: Any, b: Any, c: Any, events: Events) -> Any:
    for k in range(a.shape[1]):
        c = events.add(c, _product(task, a[:, k], b[k], events), task.inner)
    return c


def _tree(task: ChainTask, a: Any, b: Any, zero: Any, events: Events) -> Any:
    """The sum of a binary tree with ``task.chunk`` leaves, in the order in which a counter that
    adds leaf after leaf carries."""
    stack: list[tuple[int, Any]] = []
    for k in range(task.chunk):
        node, size = (_product(task, a[:, k], b[k], events) if k < len(b) else zero), 1
        while stack and stack[-1][0] == size:
            node, size = events.add(node, stack.pop()[1], task.inner), 2 * size
        stack.append((size, node))
    return stack[0][1]


def plain(task: PlainTask) -> None:
    """Accumulations with one fixed rule."""
    for x, (y, z) in enumerate(zip(task.a_at, task.b_at, strict=True)):
        for k in range(0, task.a.shape[2], task.length):
            a, b = task.a[y][:, k : k + task.length], task.b[z][k : k + task.length]
            with np.errstate(all="ignore"):
                task.out[x] = _GROUPS[task.kind](task, a, b, task.out[x])


def _fused(task: PlainTask, a: Any, b: Any, c: Any) -> Any:
    a, b = (np.broadcast_to(t, c.shape) for t in (a, b))
    if c.dtype == np.float64:
        return np.vectorize(nearest, otypes=[c.dtype])(a, b, c)
    total = fused(a, b, c)
    return np.where(total == total, total, np.float32(np.nan))


def nearest(a: float, b: float, c: float) -> float:
    """``a * b + c`` rounded once to float64."""
    if not np.isfinite([a, b]).all():
        wide = float(a) * float(b) + float(c)
        return wide if wide == wide else np.nan
    if not np.isfinite(c):  # whatever the product, which may be beyond float64
        return float(c) if c == c else np.nan
    total = Fraction(float(a)) * Fraction(float(b)) + Fraction(float(c))
    if total == 0:  # the sign of an exact zero is that of IEEE 754
        negative = np.signbit(c) and np.signbit(a) != np.signbit(b)
        return -0.0 if negative and not (a and b and c) else 0.0
    try:
        return float(total)
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")


def odd_of(value: Fraction) -> float:
    """``value`` rounded to odd in float64 (far from its limits)."""
    near = float(value)
    rest = value - Fraction(near)
    if rest == 0 or np.float64(near).view(np.uint64) & np.uint64(1):
        return near
    return float(np.nextafter(near, np.inf if rest > 0 else -np.inf))


def _exact(task: PlainTask, a: Any, b: Any, c: Any) -> Any:
    assert task.step is not None
    out = np.empty(c.shape)
    for i, j in np.ndindex(c.shape):
        terms = [*(a[i].astype(np.float64) * b[:, j]), np.float64(c[i, j])]
        if np.isfinite(terms).all():
            total = sum(map(Fraction, map(float, terms)), Fraction(0))
            negative = total == 0 and np.signbit(terms).all()
            out[i, j] = -0.0 if negative else odd_of(total)
        else:
            out[i, j] = sum(t for t in terms if not np.isfinite(t))
    events = Events(np.zeros((1, 2), np.uint32), 0)
    rounded = events.round(out.view(np.uint64), task.step)
    return _texts().plain_nan(rounded.view(np.uint64)).view(np.float64)


def _flushed(task: PlainTask, a: Any, b: Any, c: Any) -> Any:
    low, flushed = np.float32(task.lows[2]), _texts().flushed
    sums = [flushed(a[:, k, None] * b[k], low) for k in range(task.length)]
    while len(sums) > 1:
        sums = [flushed(x + y, low) for x, y in zip(sums[::2], sums[1::2], strict=True)]
    total = flushed(c + sums[0], low)
    return np.where(total == total, total, np.float32(np.nan))


def _integers(task: PlainTask, a: Any, b: Any, c: Any) -> Any:
    total = a.astype(object) @ b.astype(object) + c.astype(object)
    width = 8 * c.dtype.itemsize
    if task.limits != (0, 0):
        return np.clip(total, *task.limits).astype(c.dtype)
    half = 1 << (width - 1)
    return ((total + half) % (1 << width) - half).astype(c.dtype)


_LOW = 2.0**-126


def _vdpbf16ps(task: PlainTask, a: Any, b: Any, c: Any) -> Any:
    """The odd element of a pair, then the even one."""
    for k in (1, 0):
        c = _texts().flushed(_fused(task, a[:, k, None], b[k], c), np.float32(_LOW))
    return c


def _tdpbf16ps(task: PlainTask, a: Any, b: Any, c: Any) -> Any:
    """Even and odd elements of a tile apart; their sum is added to the result."""
    low, flushed, parts = np.float32(_LOW), _texts().flushed, []
    for first in (0, 1):
        part = np.zeros_like(c)
        for k in range(first, a.shape[1], 2):
            part = flushed(_fused(task, a[:, k, None], b[k], part), low)
        parts.append(part)
    total = flushed(c + flushed(parts[0] + parts[1], low), low)
    return np.where(total == total, total, np.float32(np.nan))


def _bfdot(task: PlainTask, a: Any, b: Any, c: Any) -> Any:
    """Products, their sum and the sum with the result, each rounded to odd."""
    assert task.step is not None
    events, text, step = Events(np.zeros((1, 2), np.uint32), 0), _texts(), task.step

    def odd(bits: Any) -> Any:
        x = text.flushed(bits.view(np.float64), _LOW)
        return events.round(x.view(np.uint64), step)

    low, high = (odd((a[:, k, None].astype(np.float64) * b[k]).view(np.uint64)) for k in (0, 1))
    total = odd(text.add_odd(c.astype(np.float64), odd(text.add_odd(low, high))))
    return text.plain_nan(total.view(np.uint64)).view(np.float64)


_GROUPS = {
    "vdpbf16ps": _vdpbf16ps,
    "tdpbf16ps": _tdpbf16ps,
    "bfdot": _bfdot,
    "fma": _fused,
    "exact": _exact,
    "flushed": _flushed,
    "integer": _integers,
}
