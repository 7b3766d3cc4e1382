"""Loop skeletons of blocks with power-of-two scales on the CPU; see ``loops.py`` and, for matrices
of elements and ``ACROSS``, ``tile_loops.py``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


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


def grid_at(fields, j, g):
    top, bottom = fields[3, j], fields[3 if MIRRORED else 4, j]
    sign_mask = U(MAGNITUDE + ONE) if MIRRORED else g.sign_mask
    zero_mask = sign_mask if MIRRORED else g.zero_mask
    min_exp = I(g.min_exp + I(fields[0, j]))  # what a code counts from
    return Grid(
        g.man_bits, min_exp, I(fields[1, j]), g.top_shift, ZERO, fields[2, j],
        top, bottom, top, bottom, top, bottom, zero_mask, sign_mask, ZERO, ZERO,
    )  # fmt: skip


def round_blocks(x, out, words, fields, first, spare, g, c):
    """Elements of finite blocks whose grids need no general text; scales from ``first`` on."""
    for j in range(x.shape[0]):
        moved = grid_at(fields, first + (0 if ACROSS else j), g)
        for i in range(0, BLOCK, LINE):  # the maxima of the next chunk would wait for memory
            prefetch(x, j * BLOCK + CHUNK + i)
        for i in range(BLOCK if BLOCK > 0 else x.shape[1]):
            if ACROSS:
                moved = grid_at(fields, first + i, g)
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


def round_any(x, out, words, amax, fields, first, spare, g, c):
    """As ``round_blocks``, of any blocks."""
    for j in range(x.shape[0]):
        for i in range(x.shape[1]):
            k = first + (i if ACROSS else j)
            moved = scaled_grid(g, I(fields[0, k]))
            rand = words[j, i] if STOCHASTIC else ZERO
            out[j, i] = store(
                block_bits(load(x[j, i]), rand, spare, moved, amax[k], True), moved, c
            )


def made_state(size):
    return np.empty((5, size), U)


def choose(amax, fields, scales, how, g):
    """The scaled grids of blocks, field by field, and the codes of their scales; whether
    ``round_blocks`` serves all: they are finite and need no general text."""
    general, b = how
    every = not general
    for j in range(amax.size):
        k = scale_exponent(amax[j], b)
        every &= not (needs_general(g, k) | (amax[j] >= INF_BITS))
        moved = scaled_grid(g, k)
        fields[0, j] = U(k)
        fields[1, j] = U(moved.low_shift)
        fields[2, j] = moved.quantum
        fields[3, j] = moved.max_pos
        fields[4, j] = moved.max_neg
        if ENCODE:
            scales[j] = scale_code(k, amax[j], b)
    return every


def round_matrix(x, out, words, amax, fields, first, plain, spare, g, c):
    if FAST and plain:
        round_blocks(x, out, words, fields, first, spare, g, c)
    else:
        round_any(x, out, words, amax, fields, first, spare, g, c)


def rows_chunk(x, out, scales, words, over, tops, amax, fields, spare, how, g, c):
    """Whole blocks along one contiguous run; ``words`` are its random words, or anything."""
    x2, out2 = x.reshape((amax.size, BLOCK)), out.reshape((amax.size, BLOCK))
    amax_blocks(x2, tops, amax)
    plain = choose(amax, fields, scales, how, g)
    if over and plain:
        round_blocks_over(x2, out2, fields, spare, g, c)
        return
    if over:
        words[: x.size] = out
    words2 = words[: x.size if STOCHASTIC else 0].reshape((-1, BLOCK))
    if plain and LARGE and x.ctypes.data == out.ctypes.data:
        round_blocks_in_place(out2, words2, fields, spare, g, c)
    else:
        round_matrix(x2, out2, words2, amax, fields, 0, plain, spare, g, c)


def rows_task(x, out, scales, k0, k1, first, spare, how, g, c):
    """Chunk by chunk, so that a chunk stays in the nearest cache between its two passes."""
    per = min(max(1, CHUNK // BLOCK), x.size // BLOCK)
    words = np.empty(per * BLOCK + 2 if STOCHASTIC else 1, U)
    tops, amax, fields = np.empty(per, x.dtype), np.empty(per, U), made_state(per)
    apart = OVER and x.ctypes.data != out.ctypes.data
    for a in range(0, x.size, per * BLOCK):
        e = min(a + per * BLOCK, x.size)
        count = (e - a) // BLOCK
        over = apart and ((first + a) | (e - a)) & 1 == 0
        skip = 0
        if over:
            fill(out[a:e], first + a, e - a, k0, k1)
        elif STOCHASTIC:
            skip = fill(words, first + a, e - a, k0, k1)
        levels = scales[a // BLOCK : a // BLOCK + count] if ENCODE else scales
        given, place, rand = x[a:e], out[a:e], words[skip:]
        rows_chunk(given, place, levels, rand, over, tops, amax[:count], fields, spare, how, g, c)


def rows(x, out, scales, k0, k1, first, spare, general, b, g, c):
    """Blocks of ``BLOCK`` elements that fill memory."""
    step = max(1, TASK // BLOCK) * BLOCK
    for index in prange((x.size + step - 1) // step):
        a = I64(index) * step
        e = min(a + step, x.size)
        levels = scales[a // BLOCK : e // BLOCK] if ENCODE else scales
        rows_task(x[a:e], out[a:e], levels, k0, k1, first + a, spare, (general, b), g, c)


def tiles(x, out, scales, k0, k1, first, spare, general, b, g, c, n1, nb, n2, nc, t1, t2, m1, m2):
    """Blocks of any layout."""
    _, _, count, many = group_counts(x.size, n1, nb, n2, nc, t1, t2, m1, m2)
    for index in prange((count + many - 1) // many):
        task, how, given = I64(index), (general, b), (x, out, scales, k0, k1, first, spare)
        tiles_task(task, *given, how, g, c, n1, nb, n2, nc, t1, t2, m1, m2)
