"""Loop skeletons of blocks with float scales, in the 32-bit lane, on the CPU; see ``loops.py`` and,
for matrices of elements and ``ACROSS``, ``tile_loops.py``. ``short_level`` is that of the mode that
rounds scales.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def finite_top(x, found):
    """The largest finite magnitudes of stretches of ``TASK`` elements."""
    for index in prange(found.size):
        task, top = I64(index), ZERO
        for i in range(task * TASK, min((task + 1) * TASK, x.size)):
            size = U(load(x[i]) & MAGNITUDE)
            top = maximum(top, where(size < INF_BITS, size, ZERO))
        found[task] = top


def choose(amax, state, scales, how, g):
    """The scales of blocks, that of the array multiplied in, and their codes; the parts of divisors
    and of inverses, and what is divided (in the place of ``amax``); whether all are moderate."""
    whole, unit, gl, cl = how
    totals, parts = state
    inverse, single, every = 1.0 / unit, F32(whole), True
    for j in range(amax.size):
        bits = short_level(amax[j], unit, inverse, gl)
        if ENCODE:
            scales[j] = code_bits(bits, gl, cl)
        level = bits_to_float(bits)
        every &= moderate(level, single, amax[j], g)
        amax[j], totals[j] = kept_of(level), F64(level) * whole
        parts[0, j] = high_of(level, single)
        parts[1, j] = low_of(level, single, parts[0, j])
        parts[2, j] = reciprocal_of(parts[0, j])
        parts[3, j] = little_of(parts[0, j], parts[1, j], parts[2, j])
    return every


def moderate_blocks(x, out, words, kept, highs, lows, inverses, littles, spare, g, c):
    """Elements with moderate scales."""
    for j in range(x.shape[0]):
        k = 0 if ACROSS else j
        mask, high, low, inverse, little = kept[k], highs[k], lows[k], inverses[k], littles[k]
        for i in range(0, BLOCK, LINE):  # the maxima of the next chunk would wait for memory
            prefetch(x, j * BLOCK + CHUNK + i)
        for i in range(BLOCK if BLOCK > 0 else x.shape[1]):
            if ACROSS:
                mask, high, low = kept[i], highs[i], lows[i]
                inverse, little = inverses[i], littles[i]
            rand = words[j, i] if STOCHASTIC else ZERO
            bits = bits_by_parts(load(x[j, i]), high, low, inverse, little, mask, rand, spare, g)
            value = nearest(value_by_parts(bits, high, low))
            out[j, i] = code_bits(bits, g, c) if ENCODE else value


def short_blocks(x, out, words, totals, spare, g, c):
    """Elements with any scales."""
    for j in range(x.shape[0]):
        for i in range(x.shape[1]):
            total = totals[i if ACROSS else j]
            rand = words[j, i] if STOCHASTIC else ZERO
            bits = scaled_bits(bits_to_float(load(x[j, i])), total, rand, spare, g, False)
            value = nearest(float_to_bits(F32(rescaled(unit_value(bits), total))))
            out[j, i] = code_bits(bits, g, c) if ENCODE else value


def made_state(size):
    return np.empty(size, F64), np.empty((4, size), F32)


def round_matrix(x, out, words, kept, state, first, plain, spare, g, c):
    """The rows or columns from scale ``first`` on."""
    totals, parts = state
    if plain:
        more = parts[0][first:], parts[1][first:], parts[2][first:], parts[3][first:]
        moderate_blocks(x, out, words, kept[first:], *more, spare, shaped(g), c)
    else:
        short_blocks(x, out, words, totals[first:], spare, g, c)


def float_rows(x, out, scales, k0, k1, first, spare, whole, unit, gl, cl, g, c):
    """Whole blocks of ``BLOCK`` elements along memory, chunk by chunk, so that a chunk stays in the
    nearest cache between its passes. In place, results go by way of a buffer: LLVM has to see two
    arrays."""
    blocks, same = x.size // BLOCK, not ENCODE and x.ctypes.data == out.ctypes.data
    per = min(max(1, CHUNK // BLOCK), blocks)
    many = max(1, TASK // (per * BLOCK)) * per  # blocks of a task
    for index in prange((blocks + many - 1) // many):
        task, size, how = I64(index), per * BLOCK, (whole, unit, gl, cl)
        tops, amax, state = np.empty(per, x.dtype), np.empty(per, U), made_state(per)
        made, words = np.empty(size * same, out.dtype), np.empty(size * STOCHASTIC + 2, U)
        for j in range(task * many, min((task + 1) * many, blocks), per):
            count = min(per, min((task + 1) * many, blocks) - j)
            a, n = j * BLOCK, count * BLOCK
            given, place, kept = x[a : a + n].reshape((count, BLOCK)), out[a : a + n], amax[:count]
            to = (made[:n] if same else place).reshape((count, BLOCK))
            amax_blocks(given, tops, kept)
            plain = choose(kept, state, scales[j : j + count] if ENCODE else scales, how, g)
            skip = fill(words, first + a, n, k0, k1) if STOCHASTIC else 0
            rand = words[skip : skip + n * STOCHASTIC].reshape((-1, BLOCK))
            round_matrix(given, to, rand, kept, state, 0, plain, spare, g, c)
            if same:
                place[:] = made[:n]


def float_tiles(
    x, out, scales, k0, k1, first, spare, whole, unit, gl, cl, g, c, n1, nb, n2, nc, t1, t2, m1, m2
):
    """Blocks of any layout."""
    _, _, count, many = group_counts(x.size, n1, nb, n2, nc, t1, t2, m1, m2)
    for index in prange((count + many - 1) // many):
        task, how, given = I64(index), (whole, unit, gl, cl), (x, out, scales, k0, k1, first, spare)
        tiles_task(task, *given, how, g, c, n1, nb, n2, nc, t1, t2, m1, m2)
