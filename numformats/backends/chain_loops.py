"""Loop skeletons of rounded accumulations on the CPU. The texts of ``core/chain.py`` and
``core/quantum.py`` do the arithmetic; names in capitals and ``round_product``, ``round_inner`` and
``round_outer`` are bound when a kernel is emitted.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def draw(words, n, keys, event, at):
    """Fill ``words`` for one event of a run of elements."""
    k = keys[event]
    return fill(words, at, n, k[0], k[1])


def multiply(s, b, out, words, g):
    """Products of one row with every column, rounded where there is a format for them."""
    for i in range(out.size):
        p = s * np.float64(b[i])
        if PRODUCT:
            rand = words[i] if PRODUCT_RANDOM else ZERO
            p = bits_to_real(round_product(real_to_bits(p), rand, g))
        out[i] = p


def add_inner(acc, x, words, g):
    for i in range(acc.size):
        rand = words[i] if INNER_RANDOM else ZERO
        acc[i] = bits_to_real(round_inner(add_odd(acc[i], x[i]), rand, g))


def multiply_add(s, b, acc, words, g):
    """As ``multiply`` and ``add_inner``, in one pass."""
    for i in range(acc.size):
        rand = words[i] if INNER_RANDOM else ZERO
        p = s * np.float64(b[i])
        acc[i] = bits_to_real(round_inner(add_odd(acc[i], p), rand, g))


def add_outer(acc, x, words, g):
    for i in range(acc.size):
        rand = words[i] if OUTER_RANDOM else ZERO
        acc[i] = bits_to_real(round_outer(add_odd(acc[i], x[i]), rand, g))


def sequence(a, b, j, acc, spare, words, keys, event, at, gp, gi):
    """Add products one after another to ``acc``; returns the next event."""
    n, m = acc.size, j + acc.size
    for k in range(a.size):
        s = np.float64(a[k])
        if PRODUCT:
            if PRODUCT_RANDOM:
                draw(words, n, keys, event, at)
            multiply(s, b[k, j:m], spare, words, gp)
            event += 1
        if INNER_RANDOM:
            draw(words, n, keys, event, at)
        if PRODUCT:
            add_inner(acc, spare, words, gi)
        else:
            multiply_add(s, b[k, j:m], acc, words, gi)
        event += 1
    return event


def pairwise(a, b, j, width, nodes, words, keys, event, at, gp, gi):
    """Add ``width`` products (zeros beyond the last) as a binary tree; the sum is in the last of
    ``nodes``."""
    n, m = nodes.shape[1], j + nodes.shape[1]
    leaf = nodes[nodes.shape[0] - 1]
    for k in range(width):
        if k < a.size:
            if PRODUCT_RANDOM:
                draw(words, n, keys, event, at)
            multiply(np.float64(a[k]), b[k, j:m], leaf, words, gp)
            event += np.int64(PRODUCT)
        else:
            leaf[:] = 0.0
        level = 0
        while (k >> level) & 1:
            if INNER_RANDOM:
                draw(words, n, keys, event, at)
            add_inner(leaf, nodes[level], words, gi)
            event += 1
            level += 1
        nodes[level, :] = leaf
    return event


def sequence_row(a, b, j, acc, chunk, spare, nodes, words, keys, at, gp, gi, go):
    """All products of one row with a run of columns, one after another."""
    if chunk == 0:
        sequence(a, b, j, acc, spare[0], words, keys, 0, at, gp, gi)
        return
    event, part = 0, spare[1]
    for k in range(0, a.size, chunk):
        end = min(k + chunk, a.size)
        part[:] = 0.0
        event = sequence(a[k:end], b[k:end], j, part, spare[0], words, keys, event, at, gp, gi)
        if OUTER_RANDOM:
            draw(words, acc.size, keys, event, at)
        add_outer(acc, part, words, go)
        event += 1


def tree_row(a, b, j, acc, chunk, spare, nodes, words, keys, at, gp, gi, go):
    """All products of one row with a run of columns, chunk by chunk as trees."""
    event = 0
    for k in range(0, a.size, chunk):
        end = min(k + chunk, a.size)
        event = pairwise(a[k:end], b[k:end], j, chunk, nodes, words, keys, event, at, gp, gi)
        if OUTER_RANDOM:
            draw(words, acc.size, keys, event, at)
        add_outer(acc, nodes[nodes.shape[0] - 1], words, go)
        event += 1


def chains(a, b, a_at, b_at, out, chunk, levels, keys, first_index, gp, gi, go):
    rows, cols = out.shape[1], (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        j, m = t * COLS, min((t + 1) * COLS, out.shape[2])
        acc, spare = np.empty(m - j, np.float64), np.empty((2, m - j), np.float64)
        nodes, words = np.empty((levels + 2, m - j), np.float64), np.empty(m - j + 2, U)
        c = out[x, r, j:m]
        for i in range(m - j):
            acc[i] = np.float64(c[i])
        at = first_index + (x * rows + r) * out.shape[2] + j
        chain_row(
            a[a_at[x], r], b[b_at[x]], j, acc, chunk, spare, nodes, words, keys, at, gp, gi, go
        )
        for i in range(m - j):
            c[i] = bits_to_real(plain_nan(real_to_bits(acc[i])))
