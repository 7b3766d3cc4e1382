"""Fused dot products on NumPy arrays: the core texts, one index k after another."""

from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from numformats.backends.dot_task import NO_TERM, DotTask, ScaledDotTask, SplitTask
from numformats.backends.dot_texts import DOT, GROUP, SPLIT
from numformats.backends.emit import CORE, LOADS, constants, mode_parts, module_text
from numformats.core import dot
from numformats.lanes import LANE64, Carrier
from numformats.rounding import Mode

_PRELUDE = """\
import numpy as np
from numformats.core.dot import DotSpec
from numformats.core.grid import CodeSpec, Grid
from numformats.core.lane import bits_to_real, real_to_bits
from numformats.core.operand import SplitSpec

{constants}
T, TU, TERM_LAST = np.int64, np.uint64, np.int64(63)
where, minimum, maximum = np.where, np.minimum, np.maximum

def shl(x, s):
    return where(U(s) > U(LAST), ZERO, U(U(x) << U(U(s) & U(LAST))))

def shr(x, s):
    return where(U(s) > U(LAST), ZERO, U(U(x) >> U(U(s) & U(LAST))))

shr_term = shr

def bit_length(x):
    return I(np.frexp(np.float64(x))[1])
"""
_RULES = (dot.first_down, dot.finish_down, dot.finish_grouped)


def _bound(source: str) -> SimpleNamespace:
    names: dict[str, Any] = {}
    exec(compile(source, "<core texts>", "exec"), names)
    return SimpleNamespace(**names)


@cache
def _splitter(carrier: Carrier) -> SimpleNamespace:
    parts = [(f, None, "") for f in (*CORE, *SPLIT)]
    prelude = _PRELUDE.format(constants=constants(carrier.lane))
    return _bound(module_text(prelude, [*parts, (LOADS[carrier.name], "load", "")]))


def split(task: SplitTask) -> int:
    """Split an operand; the join of all kinds."""
    text, s = _splitter(task.carrier), task.spec
    bits = text.load(task.x) & s.keep
    kind = text.operand_kind(bits, s)
    size = text.shl(text.operand_significand(bits, s), s.up).astype(np.int32)
    task.sig[...] = np.where(kind & 8, -size, size)
    task.exp[...] = np.where(kind & 4, NO_TERM, text.operand_exponent(bits, s))
    task.kind[...] = kind
    return int(np.bitwise_or.reduce(task.kind)) if task.kind.size else 0


@cache
def _texts(mode: Mode, general: bool, nan: int) -> SimpleNamespace:
    head = f"\nDOT_GENERAL, DOT_NAN = {general}, U({nan})\n"
    parts: list[Any] = [(f, None, "") for f in (*CORE, *DOT, *GROUP, *_RULES)]
    rules = [(*part, "") for part in mode_parts(mode)]
    prelude = _PRELUDE.format(constants=constants(LANE64)) + head
    return _bound(module_text(prelude, [*parts, *rules]))


@np.errstate(invalid="ignore")  # signalling NaN
def _wide_bits(c: Any) -> Any:
    return c.astype(np.float64).view(np.uint64)


def dots(task: DotTask) -> None:
    """Fused dot products of every row with every column."""
    text = _texts(task.mode, task.general, task.nan)
    for x, (y, z) in enumerate(zip(task.a_at, task.b_at, strict=True)):
        a = [np.asarray(f[y], np.int64) for f in (task.a.sig, task.a.exp, task.a.kind)]
        b = [np.asarray(f[z], np.int64) for f in (task.b.sig, task.b.exp, task.b.kind)]
        c = _wide_bits(task.out[x])
        for k in range(0, a[0].shape[1], task.group):
            end = k + task.group
            rows, columns = [f[:, k:end] for f in a], [f[k:end] for f in b]
            with np.errstate(all="ignore"):  # what stands beside NaN and Inf is not used
                c = _group(text, task, rows, columns, c, k == 0)
        with np.errstate(over="ignore", invalid="ignore"):
            task.out[x] = c.view(np.float64)


def _group(
    text: SimpleNamespace, task: DotTask, a: list[Any], b: list[Any], c: Any, given: bool
) -> Any:
    """``c``, which is ``given`` or the result of a group, after one more group of products."""
    s, length = task.spec, task.group // task.rule.parts
    zero = (np.bitwise_or.reduce(a[2], 1)[:, None] | np.bitwise_or.reduce(b[2], 0)) & 4 > 0
    first = getattr(text, task.rule.first.__name__)(c, zero, given, s)
    parts = []
    for p in range(task.rule.parts):
        ks = range(p * length, (p + 1) * length)
        top = np.broadcast_to(first, c.shape)
        for k in ks:
            top = np.maximum(top, a[1][:, k, None] + b[1][k])
        total = np.zeros(c.shape, np.int64)
        for k in ks:
            up = top + s.align - a[1][:, k, None]
            total += text.term(a[0][:, k, None], b[0][k], up, b[1][k])
        parts.append((total, top))
    finish = getattr(text, task.rule.finish.__name__)
    out = finish(*parts[0], *parts[-1], c, s, task.grid)
    return text.special_sum(_flags(text, task, a, b, c.shape), out, c)


def _flags(text: SimpleNamespace, task: DotTask, a: list[Any], b: list[Any], shape: Any) -> Any:
    """Joined flags of the products that are NaN or Inf."""
    flags, u = np.zeros(shape, np.uint64), np.uint64
    for k in range(task.group):
        rows, columns = (f[:, k, None] for f in a[:2]), (f[k] for f in b[:2])
        over = text.over_range(*rows, *columns, task.spec) & task.rule.product_overflow
        flags |= text.product_flags(a[2][:, k, None].astype(u), b[2][k].astype(u), over)
    return flags


def scaled_dots(task: ScaledDotTask) -> None:
    """Exact sums of groups, scaled, aligned and added."""
    text = _texts(task.mode, task.general, task.nan)
    masks = task.nonzero()
    for x, (y, z) in enumerate(zip(task.a_at, task.b_at, strict=True)):
        a, b = task.a[y].astype(np.int64), task.b[z].astype(np.int64)
        scale_a, scale_b = ((f.sig, f.exp, f.kind) for f in (task.a_scale, task.b_scale))
        rows = [f[y] for f in (*scale_a, masks[0])]
        columns = [f[z] for f in (*scale_b, masks[1])]
        c = _wide_bits(task.out[x])
        for g in range(0, a.shape[1] // task.group, task.count):
            with np.errstate(all="ignore"):
                c = _scaled_block(text, task, a, b, rows, columns, g, c)
        with np.errstate(over="ignore", invalid="ignore"):
            task.out[x] = c.view(np.float64)


def _scaled_block(
    text: SimpleNamespace,
    task: ScaledDotTask,
    a: Any,
    b: Any,
    rows: list[Any],
    columns: list[Any],
    first: int,
    c: Any,
) -> Any:
    """``c`` after ``task.count`` more groups."""
    s, flags, zero = task.spec, np.zeros(c.shape, np.uint64), np.zeros(c.shape, bool)
    terms = []
    for g in range(first, first + task.count):
        k = slice(g * task.group, (g + 1) * task.group)
        sig = rows[0][:, g, None].astype(np.int64) * columns[0][g]
        e = rows[1][:, g, None].astype(np.int64) + columns[1][g]
        both = rows[3][:, g, None] & columns[3][g]
        zero |= text.group_is_zero(sig, both)
        flags |= ((rows[2][:, g, None] | columns[2][g]) & 1).astype(np.uint64)
        e = text.group_exponent(e, sig, both, s)
        terms.append((text.group_term(a[:, k] @ b[k], sig, s), e))
    top = text.first_truncated(c, zero, first == 0, s)
    for _, e in terms:
        top = np.maximum(top, e)
    total = sum((text.aligned(t, top - e) for t, e in terms), np.zeros(c.shape, np.int64))
    out = text.finish_truncated(total, top, total, top, c, s, task.grid)
    return text.special_sum(flags, out, c)
