"""Loop skeletons of fused dot products on the CPU: tiles of rows and columns, two passes over every
group. The texts of ``core/dot.py`` do the arithmetic; the names in capitals, ``first`` and
``finish`` are bound when a kernel is emitted.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def split_run(x, sig, exp, kind, s):
    every = U(0)
    for i in range(x.size):
        bits = U(load(x[i]) & s.keep)
        size = np.int32(shl(operand_significand(bits, s), s.up))
        k = operand_kind(bits, s)
        sig[i] = where(bits > MAGNITUDE, np.int32(np.int32(0) - size), size)
        exp[i] = where(U(k & U(4)) > ZERO, np.int16(NO_TERM), np.int16(operand_exponent(bits, s)))
        kind[i] = np.uint8(k)
        every |= k
    return every


def split(x, sig, exp, kind, s, found):
    n = x.size
    for task in prange(found.size):
        a, b = task * TASK, min((task + 1) * TASK, n)
        found[task] = np.uint8(split_run(x[a:b], sig[a:b], exp[a:b], kind[a:b], s))


def raise_top(ea, eb, q, j, top):
    """The largest exponent of the products of one row with every column, four products a pass; the
    rows of ``b`` start at ``q``, its columns at ``j``."""
    m = j + top.size
    for k in range(0, ea.size, 4):
        e0, e1, e2, e3 = ea[k], ea[k + 1], ea[k + 2], ea[k + 3]
        b0, b1 = eb[q + k, j:m], eb[q + k + 1, j:m]
        b2, b3 = eb[q + k + 2, j:m], eb[q + k + 3, j:m]
        for i in range(top.size):
            m0 = maximum(np.int16(e0 + b0[i]), np.int16(e1 + b1[i]))
            m1 = maximum(np.int16(e2 + b2[i]), np.int16(e3 + b3[i]))
            top[i] = maximum(top[i], maximum(m0, m1))


def add_terms(sa, ea, sb, eb, q, j, low, part):
    """Aligned terms of a run of products, added up; ``low`` is the exponent that nothing shifts."""
    m = j + part.size
    for k in range(0, ea.size, 4):
        s0, s1, s2, s3 = sa[k], sa[k + 1], sa[k + 2], sa[k + 3]
        e0, e1, e2, e3 = T(ea[k]), T(ea[k + 1]), T(ea[k + 2]), T(ea[k + 3])
        r0, r1 = sb[q + k, j:m], sb[q + k + 1, j:m]
        r2, r3 = sb[q + k + 2, j:m], sb[q + k + 3, j:m]
        b0, b1 = eb[q + k, j:m], eb[q + k + 1, j:m]
        b2, b3 = eb[q + k + 2, j:m], eb[q + k + 3, j:m]
        for i in range(part.size):
            up = low[i]
            t0 = T(term(s0, r0[i], T(up - e0), b0[i]) + term(s1, r1[i], T(up - e1), b1[i]))
            t1 = T(term(s2, r2[i], T(up - e2), b2[i]) + term(s3, r3[i], T(up - e3), b3[i]))
            part[i] = T(part[i] + T(t0 + t1))


def sum_part(sa, ea, sb, eb, q, j, top, low, part, total, align, run):
    """The exact sum of the aligned terms of a row with every column, in int64."""
    raise_top(ea, eb, q, j, top)
    for i in range(top.size):
        low[i] = T(T(top[i]) + T(align))
        total[i] = np.int64(0)
    for k in range(0, ea.size, run):
        end = min(k + run, ea.size)
        part[:] = T(0)
        add_terms(sa[k:end], ea[k:end], sb, eb, q + k, j, low, part)
        for i in range(part.size):
            total[i] = np.int64(total[i] + np.int64(part[i]))


def join_flags(sa, ea, ka, sb, eb, kb, q, j, flags, s):
    for k in range(ea.size):
        for i in range(flags.size):
            over = OVERFLOW and over_range(sa[k], ea[k], sb[q + k, j + i], eb[q + k, j + i], s)
            flags[i] |= product_flags(U(ka[k]), U(kb[q + k, j + i]), over)


def start(c, zero_a, zero_b, given, top, s):
    for i in range(top.size):
        bits = real_to_bits(np.float64(c[i]))
        zero = U(U(zero_a | zero_b[i]) & U(4)) > ZERO
        top[i] = np.int16(first(bits, zero, given, s))


def end(c, total, top, odd, odd_top, flags, s, g):
    for i in range(top.size):
        bits = real_to_bits(np.float64(c[i]))
        out = finish(total[i], I(top[i]), odd[i], I(odd_top[i]), bits, s, g)
        c[i] = bits_to_real(special_sum(flags[i], out, bits))


def group_row(
    a, union_a, b, union_b, q, j, special, c, tops, low, part, totals, flags, s, g, run
):  # fmt: skip
    """One group of one row with all columns of a tile; ``a`` and ``b`` are (sig, exp, kind)."""
    sa, ea, ka = a
    sb, eb, kb = b
    half = ea.size // PARTS
    for p in range(PARTS):
        start(c, union_a, union_b, q == 0, tops[p], s)
        k, m = p * half, (p + 1) * half
        sum_part(sa[k:m], ea[k:m], sb, eb, q + k, j, tops[p], low, part, totals[p], s.align, run)
    last = PARTS - 1
    if special:
        join_flags(sa, ea, ka, sb, eb, kb, q, j, flags, s)
    end(c, totals[0], tops[0], totals[last], tops[last], flags, s, g)
    if special:
        flags[:] = ZERO


def dot_tile(a, union_a, b, union_b, i0, i1, j, n, out, s, g, group, run, every):
    """Rows ``i0`` to ``i1`` of ``a`` with columns ``j`` to ``n`` of ``b``, group by group, so that
    the part of ``b`` in use stays in the nearest cache."""
    sa, ea, ka = a
    tops, low, part = np.empty((PARTS, n - j), np.int16), np.empty(n - j, T), np.empty(n - j, T)
    totals, flags = np.empty((PARTS, n - j), np.int64), np.zeros(n - j, U)
    for x in range(ea.shape[1] // group):
        q = x * group
        kinds = union_b[x, j:n]
        any_b = np.uint8(0)
        for i in range(n - j):
            any_b |= kinds[i]
        for i in range(i0, i1):
            row = (sa[i, q : q + group], ea[i, q : q + group], ka[i, q : q + group])
            special = every or ((any_b | union_a[i, x]) & 3) > 0
            group_row(
                row, union_a[i, x], b, kinds, q, j, special, out[i, j:n],
                tops, low, part, totals, flags, s, g, run,
            )  # fmt: skip


def dots(a, b, union_a, union_b, a_at, b_at, out, s, g, group, run, every):
    """All tiles; ``a`` is (batches, M, K), ``b`` (batches, K, N), ``out`` (batch, M, N)."""
    sa, ea, ka = a
    sb, eb, kb = b
    rows, cols = (out.shape[1] + ROWS - 1) // ROWS, (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        y, z = a_at[x], b_at[x]
        i1, n = min((r + 1) * ROWS, out.shape[1]), min((t + 1) * COLS, out.shape[2])
        dot_tile(
            (sa[y], ea[y], ka[y]), union_a[y], (sb[z], eb[z], kb[z]), union_b[z],
            r * ROWS, i1, t * COLS, n, out[x], s, g, group, run, every,
        )  # fmt: skip
