"""Loop skeletons of pairwise bfloat16 dot products on CPUs; see ``plain_loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def step(s, x, acc):
    """A fused multiply-add without subnormals."""
    return flushed(fused(s, x, acc), LOW)


def vdpbf16ps_row(a, b, j, acc, g):
    """The odd element of a pair, then the even one."""
    m = j + acc.size
    for k in range(0, a.size, 2):
        s0, s1, b0, b1 = a[k], a[k + 1], b[k, j:m], b[k + 1, j:m]
        for i in range(acc.size):
            acc[i] = step(s0, b0[i], step(s1, b1[i], acc[i]))


def tdpbf16ps_row(a, b, j, acc, g):
    """Even and odd elements of a tile apart, from 0; their sum is added to the result."""
    m = j + acc.size
    even, odd = np.empty(acc.size, np.float32), np.empty(acc.size, np.float32)
    for start in range(0, a.size, TILE):
        even[:], odd[:] = np.float32(0), np.float32(0)
        for k in range(start, min(start + TILE, a.size), 2):
            s0, s1, b0, b1 = a[k], a[k + 1], b[k, j:m], b[k + 1, j:m]
            for i in range(acc.size):
                even[i] = step(s0, b0[i], even[i])
                odd[i] = step(s1, b1[i], odd[i])
        for i in range(acc.size):
            both = flushed(np.float32(even[i] + odd[i]), LOW)
            acc[i] = flushed(np.float32(acc[i] + both), LOW)


def odd_single(bits, g):
    """A float64 pattern rounded to odd in float32, without subnormals."""
    x = flushed(bits_to_real(bits), np.float64(LOW))
    return bits_to_real(round_inner(real_to_bits(x), ZERO, g))


def bfdot_row(a, b, j, acc, g):
    """Products, their sum and the sum with the result, each rounded to odd."""
    m = j + acc.size
    for k in range(0, a.size, 2):
        s0, s1 = np.float64(a[k]), np.float64(a[k + 1])
        b0, b1 = b[k, j:m], b[k + 1, j:m]
        for i in range(acc.size):
            low = odd_single(real_to_bits(s0 * np.float64(b0[i])), g)
            high = odd_single(real_to_bits(s1 * np.float64(b1[i])), g)
            both = odd_single(add_odd(low, high), g)
            acc[i] = odd_single(add_odd(np.float64(acc[i]), both), g)


def paired_chains(a, b, a_at, b_at, out, nan, g):
    rows, cols = out.shape[1], (out.shape[2] + COLS - 1) // COLS
    for task in prange(out.shape[0] * rows * cols):
        x, r, t = task // (rows * cols), task // cols % rows, task % cols
        j, m = t * COLS, min((t + 1) * COLS, out.shape[2])
        acc = out[x, r, j:m]
        paired_row(a[a_at[x], r], b[b_at[x]], j, acc, g)
        for i in range(acc.size):
            acc[i] = where(acc[i] == acc[i], acc[i], nan)
