"""Loop skeletons of scaled group sums on the CPU. The texts of ``core/dot.py`` do the arithmetic;
the names in capitals are bound when a kernel is emitted.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def group_sum(a, b, q, j, part, total):
    """The exact sum of the products of one group; four products fit 32 bits, and so do all."""
    m = j + part.size
    part[:] = np.int32(0)
    for k in range(0, a.size, 4):
        s0, s1, s2, s3 = a[k], a[k + 1], a[k + 2], a[k + 3]
        b0, b1 = b[q + k, j:m], b[q + k + 1, j:m]
        b2, b3 = b[q + k + 2, j:m], b[q + k + 3, j:m]
        for i in range(part.size):
            low = np.int32(np.int32(s0 * b0[i]) + np.int32(s1 * b1[i]))
            high = np.int32(np.int32(s2 * b2[i]) + np.int32(s3 * b3[i]))
            part[i] = np.int32(part[i] + np.int32(low + high))
    for i in range(part.size):
        total[i] = np.int64(part[i])


def group_scale(sa, ea, ka, na, sb, eb, kb, nb, total, e, zero, flags, s):
    """Scale one group's sums, and note their exponents, zeros and NaN."""
    for i in range(total.size):
        sig = np.int64(np.int64(sa) * np.int64(sb[i]))
        e[i] = group_exponent(np.int64(ea) + np.int64(eb[i]), sig, na & nb[i], s)
        zero[i] |= group_is_zero(sig, na & nb[i])
        total[i] = group_term(total[i], sig, s)
        flags[i] |= U((ka | kb[i]) & 1)


def scaled_row(a, scale_a, b, scale_b, x, j, c, part, totals, es, zero, flags, s, g):
    """``COUNT`` groups of one row with a run of columns, from group ``x`` on."""
    sa, ea, ka, na = scale_a
    sb, eb, kb, nb = scale_b
    m = j + c.size
    for i in range(c.size):
        zero[i], flags[i] = False, ZERO
    for y in range(COUNT):
        q, z = (x + y) * GROUP, x + y
        group_sum(a[q : q + GROUP], b, q, j, part, totals[y])
        group_scale(
            sa[z], ea[z], ka[z], na[z], sb[z, j:m], eb[z, j:m], kb[z, j:m], nb[z, j:m],
            totals[y], es[y], zero, flags, s,
        )  # fmt: skip
    for i in range(c.size):
        bits = real_to_bits(np.float64(c[i]))
        top = first_truncated(bits, zero[i], x == 0, s)
        for y in range(COUNT):
            top = maximum(top, es[y, i])
        total = np.int64(0)
        for y in range(COUNT):
            total = np.int64(total + aligned(totals[y, i], np.int64(top - es[y, i])))
        out = finish_truncated(total, top, total, top, bits, s, g)
        c[i] = bits_to_real(special_sum(flags[i], out, bits))


def scaled_dots(a, scale_a, b, scale_b, a_at, b_at, out, s, g):
    sa, ea, ka, na = scale_a
    sb, eb, kb, nb = scale_b
    rows, cols = out.shape[1], (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        w, r, t = task // (rows * cols), task // cols % rows, task % cols
        y, z = a_at[w], b_at[w]
        j, n = t * COLS, min((t + 1) * COLS, out.shape[2])
        part, totals = np.empty(n - j, np.int32), np.empty((COUNT, n - j), np.int64)
        es, zero = np.empty((COUNT, n - j), np.int64), np.empty(n - j, np.bool_)
        flags = np.empty(n - j, U)
        for x in range(0, ea.shape[2], COUNT):
            scaled_row(
                a[y, r], (sa[y, r], ea[y, r], ka[y, r], na[y, r]),
                b[z], (sb[z], eb[z], kb[z], nb[z]),
                x, j, out[w, r, j:n], part, totals, es, zero, flags, s, g,
            )  # fmt: skip
