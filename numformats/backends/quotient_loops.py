"""Loop skeletons of blocks with float scales, in the 32-bit lane, on the CPU; see ``loops.py`` and
``scaled_loops.py``. ``short_level`` is that of the mode that rounds scales. A matrix of elements
has a scale for every row or, ``ACROSS``, for every column.
"""

# mypy: ignore-errors
# ruff: noqa: F821, ANN

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


def tops_of(x, tops):
    """The largest magnitudes so far of the rows or columns of a matrix."""
    for j in range(x.shape[0]):
        if ACROSS:
            for i in range(x.shape[1]):
                tops[i] = maximum(tops[i], U(load(x[j, i]) & MAGNITUDE))
        else:
            tops[j] = maximum(tops[j], amax_of(x[j]))


def scale_blocks(amax, totals, parts, scales, whole, unit, gl, cl, g):
    """The scales of blocks, that of the array multiplied in, and their codes; the parts of divisors
    and of inverses, and what is divided (in the place of ``amax``); whether all are moderate."""
    inverse, single, every = 1.0 / unit, F32(whole), True
    for j in range(amax.size):
        bits = short_level(amax[j], unit, inverse, gl)
        if ENCODE:
            scales[j] = code_bits(bits, gl, cl)
        level = bits_to_float(bits)
        every &= moderate(level, single, g)
        amax[j], totals[j] = kept_of(level), F64(level) * whole
        parts[0, j] = high_of(level, single)
        parts[1, j] = low_of(level, single, parts[0, j])
        parts[2, j] = inverse_of(parts[0, j])
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


def float_blocks(x, out, words, kept, totals, parts, k, every, spare, g, c):
    """The rows or columns from scale ``k`` on."""
    drawn = words[: x.size if STOCHASTIC else 0].reshape((-1, x.shape[1]))
    if every:
        more = parts[0][k:], parts[1][k:], parts[2][k:], parts[3][k:], spare, shaped(g), c
        moderate_blocks(x, out, drawn, kept[k:], *more)
    else:
        short_blocks(x, out, drawn, totals[k:], spare, g, c)


def float_rows(x, out, scales, whole, unit, k0, k1, first, spare, gl, cl, g, c, block):
    """Whole blocks along memory, chunk by chunk, so that a chunk stays in the nearest cache between
    its passes. In place, results go by way of a buffer: LLVM has to see two arrays."""
    size = BLOCK if BLOCK > 0 else block
    blocks, same = x.size // size, not ENCODE and x.ctypes.data == out.ctypes.data
    per = min(max(1, CHUNK // size), blocks)
    many = max(1, TASK // (per * size)) * per  # blocks of a task
    for index in prange((blocks + many - 1) // many):
        task = I64(index)
        tops, amax, totals = np.empty(per, x.dtype), np.empty(per, U), np.empty(per, F64)
        parts, made = np.empty((4, per), F32), np.empty(per * size if same else 0, out.dtype)
        words = np.empty(per * size + 2 if STOCHASTIC else 1, U)
        for j in range(task * many, min((task + 1) * many, blocks), per):
            count = min(per, min((task + 1) * many, blocks) - j)
            a, n = j * size, count * size
            given, place, kept = x[a : a + n].reshape((count, size)), out[a : a + n], amax[:count]
            to = (made[:n] if same else place).reshape((count, size))
            if BLOCK > 0:
                amax_blocks(given, tops, kept)
            else:
                kept[:] = ZERO
                tops_of(given, kept)
            levels = scales[j : j + count] if ENCODE else scales
            every = scale_blocks(kept, totals, parts, levels, whole, unit, gl, cl, g)
            skip = fill(words, first + a, n, k0, k1) if STOCHASTIC else 0
            float_blocks(given, to, words[skip:], kept, totals, parts, 0, every, spare, g, c)
            if same:
                place[:] = made[:n]


def tops_of_run(x, tops, width):
    """As ``tops_of``, of rows of ``width`` elements, of which the last may be short."""
    whole = x.size // width * width
    tops_of(x[:whole].reshape((-1, width)), tops)
    if whole < x.size:
        tops_of(x[whole:].reshape((1, -1)), tops[whole // width :])


def float_run(x, out, made, words, k0, k1, at, kept, totals, parts, every, width, spare, g, c):
    """Rows of ``width`` elements, of which the last may be short, in stretches whose random words
    stay in the nearest cache; in place by way of ``made``."""
    a = 0
    while a < x.size:
        n, k = min(CHUNK, x.size - a), a % width if ACROSS else a // width
        if width > CHUNK:
            n = min(n, width - a % width)
        size = min(width, n)
        n = n // size * size
        skip = fill(words, at + a, n, k0, k1) if STOCHASTIC else 0
        given, place = x[a : a + n].reshape((n // size, size)), out[a : a + n]
        to = (made[:n] if made.size > 0 else place).reshape((n // size, size))
        float_blocks(given, to, words[skip:], kept, totals, parts, k, every, spare, g, c)
        if made.size > 0:
            place[:] = made[:n]
        a += n


def float_tiles(
    x, out, scales, whole, unit, k0, k1, first, spare, gl, cl, g, c, n1, nb, n2, nc, t1, t2, m1, m2
):
    """Any blocks: tiles side by side in groups that stay in a near cache between two passes."""
    width, same = nc if ACROSS else t2, not ENCODE and x.ctypes.data == out.ctypes.data
    per = 1 if ACROSS else min(m2, max(1, GROUP // (t1 * t2)))
    groups, size = (m2 + per - 1) // per, per * nc
    count = x.size // (n1 * nb * n2 * nc) * m1 * nb * groups
    many = max(1, TASK // (size * t1 * t2))
    for index in prange((count + many - 1) // many):
        amax, totals, parts = np.empty(size, U), np.empty(size, F64), np.empty((4, size), F32)
        words = np.empty(min(size * t2, CHUNK) + 2 if STOCHASTIC else 1, U)
        made = np.empty(min(size * t2, CHUNK) if same else 0, out.dtype)
        for group in range(I64(index) * many, min((I64(index) + 1) * many, count)):
            band, j2 = group // groups, group % groups * per
            i1, many2 = band // nb % m1 * t1, min(per, m2 - j2) * nc
            start = (((band // (nb * m1) * n1 + i1) * nb + band % nb) * n2 + j2 * t2) * nc
            length, step = min(per * t2, n2 - j2 * t2) * nc, nb * n2 * nc
            end = start + min(t1, n1 - i1) * step
            kept = amax[:many2]
            kept[:] = ZERO
            for a in range(start, end, step):
                tops_of_run(x[a : a + length], kept, width)
            k = (band * m2 + j2) * nc
            levels = scales[k : k + many2] if ENCODE else scales
            every = scale_blocks(kept, totals, parts, levels, whole, unit, gl, cl, g)
            for a in range(start, end, step):
                given, to, at = x[a : a + length], out[a : a + length], first + a
                of = kept, totals, parts, every, width, spare, g, c
                float_run(given, to, made, words, k0, k1, at, *of)
