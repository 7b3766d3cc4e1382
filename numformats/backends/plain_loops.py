"""Loop skeletons of accumulations with one fixed rule on the CPU: FMA chains, exact sums, sums
that flush subnormals, and integers. The names in capitals, ``fused`` and ``round_inner`` are bound
when a kernel is emitted.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def fma_row(a, b, j, acc):
    m = j + acc.size
    for k in range(0, a.size // 2 * 2, 2):
        s0, s1, b0, b1 = a[k], a[k + 1], b[k, j:m], b[k + 1, j:m]
        for i in range(acc.size):
            acc[i] = fused(s1, b1[i], fused(s0, b0[i], acc[i]))
    if a.size & 1:
        s0, b0 = a[a.size - 1], b[a.size - 1, j:m]
        for i in range(acc.size):
            acc[i] = fused(s0, b0[i], acc[i])


def fma_chains(a, b, a_at, b_at, out, nan):
    rows, cols = out.shape[1], (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        j, m = t * COLS, min((t + 1) * COLS, out.shape[2])
        acc = out[x, r, j:m]
        fma_row(a[a_at[x], r], b[b_at[x]], j, acc)
        for i in range(acc.size):
            acc[i] = where(acc[i] == acc[i], acc[i], nan)


def exact_group(a, b, j, c, parts, g):
    """``c`` plus a group of products, exactly, rounded once: components are grown from the
    smallest, then joined by sums rounded to odd (Shewchuk 1997, GROW-EXPANSION)."""
    m, used = j + c.size, a.size + 1
    for i in range(c.size):
        parts[0, i] = np.float64(c[i])
    for k in range(a.size):
        s, row, x = np.float64(a[k]), b[k, j:m], parts[k + 1]
        for i in range(c.size):
            x[i] = s * np.float64(row[i])
        for q in range(k + 1):
            y = parts[q]
            for i in range(c.size):
                t = x[i] + y[i]
                y[i] = sum_error(x[i], y[i], t)
                x[i] = t
    for q in range(1, used):
        lower, upper = parts[q - 1], parts[q]
        for i in range(c.size):
            upper[i] = bits_to_real(add_odd(upper[i], lower[i]))
    for i in range(c.size):
        c[i] = bits_to_real(round_inner(real_to_bits(parts[used - 1, i]), ZERO, g))


def special_group(a, b, j, c, special):
    """What the sum is where a term is NaN or Inf, else 0: added in float64, which is finite
    exactly where all terms are."""
    m = j + c.size
    for i in range(c.size):
        x = np.float64(c[i])
        special[i] = where(x - x == 0.0, 0.0, x)
    for k in range(a.size):
        s, row = np.float64(a[k]), b[k, j:m]
        for i in range(c.size):
            p = s * np.float64(row[i])
            special[i] += where(p - p == 0.0, 0.0, p)


def exact_chains(a, b, a_at, b_at, out, length, g):
    rows, cols = out.shape[1], (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        j, m = t * COLS, min((t + 1) * COLS, out.shape[2])
        c, left, right = out[x, r, j:m], a[a_at[x], r], b[b_at[x]]
        parts, special = np.empty((length + 1, m - j), np.float64), np.empty(m - j, np.float64)
        for k in range(0, left.size, length):
            end = min(k + length, left.size)
            special_group(left[k:end], right[k:end], j, c, special)
            exact_group(left[k:end], right[k:end], j, c, parts, g)
            for i in range(m - j):
                c[i] = where(special[i] == 0.0, np.float64(c[i]), special[i])
        for i in range(m - j):
            c[i] = bits_to_real(plain_nan(real_to_bits(np.float64(c[i]))))


def flushed_product(s, x, low):
    return flushed(np.float32(s * x), low)


def flushed_sum(x, y, low):
    return flushed(np.float32(x + y), low)


def flushed_row(a, b, j, acc, low):
    m = j + acc.size
    for k in range(0, a.size, PAIR):
        s0, s1, b0, b1 = a[k], a[k + 1], b[k, j:m], b[k + 1, j:m]
        s2, s3, b2, b3 = (
            a[k + PAIR - 2],
            a[k + PAIR - 1],
            b[k + PAIR - 2, j:m],
            b[k + PAIR - 1, j:m],
        )
        for i in range(acc.size):
            p0, p1 = flushed_product(s0, b0[i], low), flushed_product(s1, b1[i], low)
            total = flushed_sum(p0, p1, low)
            if PAIR == 4:
                p2, p3 = flushed_product(s2, b2[i], low), flushed_product(s3, b3[i], low)
                total = flushed_sum(total, flushed_sum(p2, p3, low), low)
            acc[i] = flushed_sum(acc[i], total, low)


def flushed_chains(a, b, a_at, b_at, out, low, nan):
    rows, cols = out.shape[1], (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        j, m = t * COLS, min((t + 1) * COLS, out.shape[2])
        acc = out[x, r, j:m]
        flushed_row(a[a_at[x], r], b[b_at[x]], j, acc, low)
        for i in range(acc.size):
            acc[i] = where(acc[i] == acc[i], acc[i], nan)


def integer_row(a, b, j, acc):
    m = j + acc.size
    for k in range(0, a.size, 4):
        s0, s1, s2, s3 = A(a[k]), A(a[k + 1]), A(a[k + 2]), A(a[k + 3])
        b0, b1, b2, b3 = b[k, j:m], b[k + 1, j:m], b[k + 2, j:m], b[k + 3, j:m]
        for i in range(acc.size):
            low = A(A(s0 * A(b0[i])) + A(s1 * A(b1[i])))
            high = A(A(s2 * A(b2[i])) + A(s3 * A(b3[i])))
            acc[i] = A(acc[i] + A(low + high))


def integer_tile(a, b, j, acc, low, high, length):
    if CLAMP:
        for k in range(0, a.size, length):
            integer_row(a[k : k + length], b[k : k + length], j, acc)
            for i in range(acc.size):
                acc[i] = min(max(acc[i], low), high)
    else:
        integer_row(a, b, j, acc)


def integers(a, b, a_at, b_at, out, low, high, length):
    rows, cols = out.shape[1], (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        j, m = t * COLS, min((t + 1) * COLS, out.shape[2])
        acc = out[x, r, j:m]
        integer_tile(a[a_at[x], r], b[b_at[x]], j, acc, A(low), A(high), length)
