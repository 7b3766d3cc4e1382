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


def raise_top(ea, eb, top):
    """The largest exponent of the products of one row with every column, four products a pass."""
    for k in range(0, ea.size, 4):
        e0, e1, e2, e3 = ea[k], ea[k + 1], ea[k + 2], ea[k + 3]
        b0, b1, b2, b3 = eb[k], eb[k + 1], eb[k + 2], eb[k + 3]
        for j in range(top.size):
            m0 = maximum(np.int16(e0 + b0[j]), np.int16(e1 + b1[j]))
            m1 = maximum(np.int16(e2 + b2[j]), np.int16(e3 + b3[j]))
            top[j] = maximum(top[j], maximum(m0, m1))


def term(sa, sb, up, eb):
    return aligned(T(T(sa) * T(sb)), T(up - T(eb)))


def add_terms(sa, ea, sb, eb, low, part):
    """Aligned terms of a run of products, added up; ``low`` is the exponent that nothing shifts."""
    for k in range(0, ea.size, 4):
        s0, s1, s2, s3 = sa[k], sa[k + 1], sa[k + 2], sa[k + 3]
        e0, e1, e2, e3 = T(ea[k]), T(ea[k + 1]), T(ea[k + 2]), T(ea[k + 3])
        r0, r1, r2, r3 = sb[k], sb[k + 1], sb[k + 2], sb[k + 3]
        b0, b1, b2, b3 = eb[k], eb[k + 1], eb[k + 2], eb[k + 3]
        for j in range(part.size):
            up = low[j]
            t0 = T(
                term(s0, r0[j], T(up - e0), b0[j]) + term(s1, r1[j], T(up - e1), b1[j])
            )
            t1 = T(
                term(s2, r2[j], T(up - e2), b2[j]) + term(s3, r3[j], T(up - e3), b3[j])
            )
            part[j] = T(part[j] + T(t0 + t1))


def sum_part(sa, ea, sb, eb, top, low, part, total, align, run):
    """The exact sum of the aligned terms of a row with every column, in int64."""
    raise_top(ea, eb, top)
    for j in range(top.size):
        low[j] = T(T(top[j]) + T(align))
        total[j] = np.int64(0)
    for k in range(0, ea.size, run):
        end = min(k + run, ea.size)
        part[:] = T(0)
        add_terms(sa[k:end], ea[k:end], sb[k:end], eb[k:end], low, part)
        for j in range(part.size):
            total[j] = np.int64(total[j] + np.int64(part[j]))


def over_range(sa, ea, sb, eb, s):
    """Whether a product is 2**128 or more."""
    size = abs(np.int64(sa) * np.int64(sb)) >> s.unit_bits
    return np.int64(ea) + np.int64(eb) + np.int64(size > 0) >= 128


def join_flags(sa, ea, ka, sb, eb, kb, flags, s):
    for j in range(flags.size):
        flags[j] = ZERO
    for k in range(ea.size):
        for j in range(flags.size):
            over = OVERFLOW and over_range(sa[k], ea[k], sb[k, j], eb[k, j], s)
            flags[j] |= product_flags(U(ka[k]), U(kb[k, j]), over)


def start(c, zero_a, zero_b, top, s):
    for j in range(top.size):
        bits = real_to_bits(np.float64(c[j]))
        zero = U(U(zero_a | zero_b[j]) & U(4)) > ZERO
        top[j] = np.int16(first(bits, zero, s))


def end(c, total, top, odd, odd_top, s, g):
    for j in range(top.size):
        bits = real_to_bits(np.float64(c[j]))
        out = finish(total[j], I(top[j]), odd[j], I(odd_top[j]), bits, s, g)
        c[j] = bits_to_real(out)


def end_special(c, total, top, odd, odd_top, flags, s, g):
    for j in range(top.size):
        bits = real_to_bits(np.float64(c[j]))
        out = finish(total[j], I(top[j]), odd[j], I(odd_top[j]), bits, s, g)
        c[j] = bits_to_real(special_sum(flags[j], out, bits))


def group_row(a, b, union_a, union_b, special, c, tops, lows, parts, totals, flags, s, g, run):
    """One group of one row with all columns of a tile; ``a`` and ``b`` are (sig, exp, kind)."""
    sa, ea, ka = a
    sb, eb, kb = b
    half = ea.size // PARTS
    for p in range(PARTS):
        start(c, union_a, union_b, tops[p], s)
        k, m = p * half, (p + 1) * half
        sum_part(
            sa[k:m], ea[k:m], sb[k:m], eb[k:m], tops[p], lows, parts, totals[p], s.align, run
        )
    last = PARTS - 1
    if special:
        join_flags(sa, ea, ka, sb, eb, kb, flags, s)
        end_special(c, totals[0], tops[0], totals[last], tops[last], flags, s, g)
    else:
        end(c, totals[0], tops[0], totals[last], tops[last], s, g)


def dot_tile(a, b, union_a, union_b, out, s, g, group, run, every):
    """Rows of ``a`` with one tile of columns of ``b``, group by group, so that the part of ``b`` in
    use stays in the nearest cache."""
    sa, ea, ka = a
    sb, eb, kb = b
    n = out.shape[1]
    tops, lows, parts = np.empty((PARTS, n), np.int16), np.empty(n, T), np.empty(n, T)
    totals, flags = np.empty((PARTS, n), np.int64), np.empty(n, U)
    for q in range(ea.shape[1] // group):
        k, m = q * group, (q + 1) * group
        any_b = np.uint8(0)
        for j in range(n):
            any_b |= union_b[q, j]
        b_group = (sb[k:m], eb[k:m], kb[k:m])
        for i in range(out.shape[0]):
            a_group = (sa[i, k:m], ea[i, k:m], ka[i, k:m])
            special = every or ((any_b | union_a[i, q]) & 3) > 0
            group_row(
                a_group, b_group, union_a[i, q], union_b[q], special, out[i],
                tops, lows, parts, totals, flags, s, g, run,
            )  # fmt: skip


def dots(a, b, union_a, union_b, a_at, b_at, out, s, g, group, run, every):
    """All tiles; ``a`` is (batches, M, K), ``b`` (batches, K, N), ``out`` (batch, M, N)."""
    sa, ea, ka = a
    sb, eb, kb = b
    rows, cols = (out.shape[1] + ROWS - 1) // ROWS, (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        y, z = a_at[x], b_at[x]
        i, m = r * ROWS, min((r + 1) * ROWS, out.shape[1])
        j, n = t * COLS, min((t + 1) * COLS, out.shape[2])
        dot_tile(
            (sa[y, i:m], ea[y, i:m], ka[y, i:m]),
            (sb[z, :, j:n], eb[z, :, j:n], kb[z, :, j:n]),
            union_a[y, i:m], union_b[z, :, j:n], out[x, i:m, j:n], s, g, group, run, every,
        )  # fmt: skip
