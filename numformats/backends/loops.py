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


def amax_of(x):
    amax = ZERO
    for i in range(x.size):
        amax = maximum(amax, U(load(x[i]) & MAGNITUDE))
    return amax


def amax_blocks(x, tops, amax):
    whole = x.shape[0] // 16 * 16
    for j in range(0, whole, 16):
        block_maxima(x, tops, j)
    for j in range(whole):
        amax[j] = U(load(tops[j]) & MAGNITUDE)  # widening keeps the order
    for j in range(whole, x.shape[0]):
        amax[j] = amax_of(x[j])


def round_run(x, out, words, amax, k, spare, g, c):
    """One contiguous run of elements that share the exponent ``k``; the general text serves all."""
    moved = scaled_grid(g, k)
    for i in range(x.size):
        rand = words[i] if STOCHASTIC else ZERO
        out[i] = store(block_bits(load(x[i]), rand, spare, moved, amax, True), moved, c)


def round_blocks(x, out, words, fields, spare, g, c):
    for j in range(x.shape[0]):
        moved = grid_at(fields, j, g)
        for i in range(0, BLOCK, LINE):  # the maxima of the next chunk would wait for memory
            prefetch(x, j * BLOCK + CHUNK + i)
        for i in range(BLOCK):
            rand = words[j, i] if STOCHASTIC else ZERO
            out[j, i] = store(round_finite(load(x[j, i]), rand, spare, moved), moved, c)


def round_blocks_in_place(out, words, fields, spare, g, c):
    for j in range(out.shape[0]):
        moved = grid_at(fields, j, g)
        for i in range(BLOCK):
            rand = words[j, i] if STOCHASTIC else ZERO
            out[j, i] = store(round_finite(load(out[j, i]), rand, spare, moved), moved, c)


def round_blocks_over(x, out, fields, spare, g, c):
    """As ``round_blocks``, with the random words in the place of the results: fetching that memory
    then overlaps with making them."""
    for j in range(x.shape[0]):
        moved = grid_at(fields, j, g)
        for i in range(0, BLOCK, LINE):
            prefetch(x, j * BLOCK + CHUNK + i)
        for i in range(BLOCK):
            out[j, i] = store(round_finite(load(x[j, i]), U(out[j, i]), spare, moved), moved, c)


def prepare(amax, fields, g, b):
    """The scaled grids of many blocks at once, field by field; whether any block is not finite or
    needs the general text."""
    every = False
    for j in range(amax.size):
        k = scale_exponent(amax[j], b)
        every |= needs_general(g, k) | (amax[j] >= INF_BITS)
        moved = scaled_grid(g, k)
        fields[0, j] = U(k)
        fields[1, j] = U(moved.low_shift)
        fields[2, j] = moved.quantum
        fields[3, j] = moved.max_pos
        fields[4, j] = moved.max_neg
    return every


def grid_at(fields, j, g):
    top, bottom = fields[3, j], fields[3 if MIRRORED else 4, j]
    sign_mask = U(MAGNITUDE + ONE) if MIRRORED else g.sign_mask
    zero_mask = sign_mask if MIRRORED else g.zero_mask
    min_exp = I(g.min_exp + I(fields[0, j]))  # what a code counts from
    return Grid(
        g.man_bits, min_exp, I(fields[1, j]), g.top_shift, ZERO, fields[2, j],
        top, bottom, top, bottom, top, bottom, zero_mask, sign_mask, ZERO, ZERO,
    )  # fmt: skip


def rows_chunk(x, out, scales, words, over, tops, amax, fields, spare, g, general, c, b, size):
    """Blocks along one contiguous run; ``words`` are its random words, or anything."""
    count = amax.size
    whole = BLOCK > 0 and count * BLOCK == x.size
    if whole:
        amax_blocks(x.reshape((count, BLOCK)), tops, amax)
    else:
        for j in range(count):
            amax[j] = amax_of(x[j * size : (j + 1) * size])
    every = prepare(amax, fields, g, b)
    if ENCODE:
        for j in range(count):
            scales[j] = scale_code(I(fields[0, j]), amax[j], b)
    if whole and not (every or general):
        x2, out2 = x.reshape((count, BLOCK)), out.reshape((count, BLOCK))
        if over:
            round_blocks_over(x2, out2, fields, spare, g, c)
        else:
            words2 = words[: x.size if STOCHASTIC else 0].reshape((-1, BLOCK))
            if LARGE and x.ctypes.data == out.ctypes.data:
                round_blocks_in_place(out2, words2, fields, spare, g, c)
            else:
                round_blocks(x2, out2, words2, fields, spare, g, c)
        return
    if over:
        words[: x.size] = out
    for j in range(count):
        a, e = j * size, min((j + 1) * size, x.size)
        rand = words[a:] if STOCHASTIC else words
        round_run(x[a:e], out[a:e], rand, amax[j], I(fields[0, j]), spare, g, c)


def rows_task(x, out, scales, k0, k1, first, spare, g, general, c, b, size):
    """Chunk by chunk, so that a chunk stays in the nearest cache between its two passes."""
    per = min(max(1, CHUNK // size), (x.size + size - 1) // size)
    words = np.empty(per * size + 2 if STOCHASTIC else 1, U)
    tops, amax, fields = np.empty(per, x.dtype), np.empty(per, U), np.empty((5, per), U)
    apart = OVER and x.ctypes.data != out.ctypes.data
    for a in range(0, x.size, per * size):
        e = min(a + per * size, x.size)
        count = (e - a + size - 1) // size
        over = apart and ((first + a) | (e - a)) & 1 == 0
        skip = 0
        if over:
            fill(out[a:e], first + a, e - a, k0, k1)
        elif STOCHASTIC:
            skip = fill(words, first + a, e - a, k0, k1)
        levels = scales[a // size : a // size + count] if ENCODE else scales
        rows_chunk(
            x[a:e], out[a:e], levels, words[skip:], over, tops, amax[:count], fields, spare, g,
            general, c, b, size,
        )  # fmt: skip


def rows(x, out, scales, k0, k1, first, spare, g, general, c, b, block):
    """Blocks along contiguous rows: ``x`` is (rows, n), ``scales`` is (rows, blocks)."""
    size = BLOCK if BLOCK > 0 else block
    per = max(1, TASK // size)
    n = x.shape[1]
    parts = ((n + size - 1) // size + per - 1) // per
    for task in prange(x.shape[0] * parts):
        row, j = task // parts, task % parts * per
        a, e = j * size, min((j + per) * size, n)
        levels = scales[row, j : j + per] if ENCODE else scales[0]
        at = first + row * n + a
        rows_task(x[row, a:e], out[row, a:e], levels, k0, k1, at, spare, g, general, c, b, size)


def tiles_task(task, x, out, scales, k0, k1, first, spare, g, c, b, t1, t2):
    _, n1, nb, n2, nc = x.shape
    m1, m2 = (n1 + t1 - 1) // t1, (n2 + t2 - 1) // t2
    j2 = task % m2
    ib = (task // m2) % nb
    j1 = (task // (m2 * nb)) % m1
    i0 = task // (m2 * nb * m1)
    amax = np.zeros(nc, U)
    for i1 in range(j1 * t1, min((j1 + 1) * t1, n1)):
        for i2 in range(j2 * t2, min((j2 + 1) * t2, n2)):
            for ic in range(nc):
                amax[ic] = maximum(amax[ic], U(load(x[i0, i1, ib, i2, ic]) & MAGNITUDE))
    if ENCODE:
        for ic in range(nc):
            scales[i0, j1, ib, j2, ic] = scale_code(scale_exponent(amax[ic], b), amax[ic], b)
    words = np.zeros(nc + 2, U)
    for i1 in range(j1 * t1, min((j1 + 1) * t1, n1)):
        for i2 in range(j2 * t2, min((j2 + 1) * t2, n2)):
            skip = 0
            if STOCHASTIC:
                at = (((i0 * n1 + i1) * nb + ib) * n2 + i2) * nc
                skip = fill(words, first + at, nc, k0, k1)
            lanes(x[i0, i1, ib, i2], out[i0, i1, ib, i2], words[skip:], amax, spare, g, c, b)


def tiles(x, out, scales, k0, k1, first, spare, g, general, c, b, t1, t2):
    """Any blocks: ``x`` is (a, n1, b, n2, c), tiles (t1, t2) on axes 1 and 3; runs along axis 4."""
    m1, m2 = (x.shape[1] + t1 - 1) // t1, (x.shape[3] + t2 - 1) // t2
    for task in prange(x.shape[0] * m1 * x.shape[2] * m2):
        tiles_task(task, x, out, scales, k0, k1, first, spare, g, c, b, t1, t2)


def lanes(x, out, words, amax, spare, g, c, b):
    """One run in which every element belongs to another block; the general text serves all."""
    for i in range(x.size):
        moved = scaled_grid(g, scale_exponent(amax[i], b))
        out[i] = store(block_bits(load(x[i]), words[i], spare, moved, amax[i], True), moved, c)
