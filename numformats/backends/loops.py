"""Loop skeletons of the CPU kernels: an index, a load, the core text, a store. No arithmetic lives
here.

The names in capitals and ``load``/``store`` are bound when a kernel is emitted; this module only
has to be readable.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def shaped(g):
    """The grid with fields that are known to agree made one value, so that the compiler sees it."""
    max_neg = g.max_pos if MIRRORED else g.max_neg
    over_pos = g.max_pos if SATURATING else g.over_pos
    over_neg = max_neg if SATURATING else (over_pos if MIRRORED else g.over_neg)
    inf_pos = g.max_pos if SATURATING else g.inf_pos
    inf_neg = max_neg if SATURATING else (inf_pos if MIRRORED else g.inf_neg)
    zero_mask = U(MAGNITUDE + ONE) if MIRRORED else g.zero_mask
    sign_mask = U(MAGNITUDE + ONE) if MIRRORED else g.sign_mask
    return Grid(
        g.man_bits, g.min_exp, g.low_shift, g.top_shift, g.parity, g.quantum, g.max_pos, max_neg,
        over_pos, over_neg, inf_pos, inf_neg, zero_mask, sign_mask, g.floor, g.zero,
    )  # fmt: skip


def round_over(out, words, spare, g, c):
    """In place: of two arrays that may overlap, the compiler makes a loop one by one."""
    for i in range(out.size):
        rand = words[i] if STOCHASTIC else ZERO
        out[i] = store(round_bits(load(out[i]), rand, spare, g, GENERAL, SATURATING), g, c)


def round_all(x, out, words, spare, g, c):
    g = shaped(g)
    if LARGE and x.ctypes.data == out.ctypes.data:
        round_over(out, words, spare, g, c)
        return
    for i in range(x.size):
        rand = words[i] if STOCHASTIC else ZERO
        out[i] = store(round_bits(load(x[i]), rand, spare, g, GENERAL, SATURATING), g, c)


def quantize_task(x, out, words, k0, k1, first, spare, g, c):
    """Chunk by chunk, so that the words stay in the nearest cache."""
    for a in range(0, x.size, CHUNK):
        b = min(a + CHUNK, x.size)
        skip = fill(words, first + a, b - a, k0, k1) if STOCHASTIC else 0
        round_all(x[a:b], out[a:b], words[skip:], spare, g, c)


def quantize(x, out, k0, k1, first, spare, g, c):
    n = x.size
    for task in prange((n + TASK - 1) // TASK):
        a = task * TASK
        b = min(a + TASK, n)
        words = np.empty(CHUNK + 2 if STOCHASTIC else 1, U)
        quantize_task(x[a:b], out[a:b], words, k0, k1, first + a, spare, g, c)


def wrap_all(x, out, words, spare, g, c, mask, sign, q):
    for i in range(x.size):
        rand = words[i] if STOCHASTIC else ZERO
        out[i] = store(wrap_bits(load(x[i]), rand, spare, g, mask, sign, q), g, c)


def wrap(x, out, k0, k1, first, spare, g, c, mask, sign, q):
    n = x.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        words = np.empty(CHUNK + 2 if STOCHASTIC else 1, U)
        skip = fill(words, first + a, b - a, k0, k1) if STOCHASTIC else 0
        wrap_all(x[a:b], out[a:b], words[skip:], spare, g, c, mask, sign, q)
