"""Loop skeletons of blocks along memory with float scales, in the 32-bit lane, on the CPU; see
``loops.py``. ``short_level`` is that of the mode that rounds scales.
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


def scale_blocks(amax, totals, parts, scales, whole, unit, g, c):
    """The scales of blocks and their codes; the parts of divisors and of inverses, and what is
    divided (in the place of ``amax``); whether all are moderate."""
    inverse, every = 1.0 / unit, True
    for j in range(amax.size):
        level = short_level(amax[j], unit, inverse, g)
        if ENCODE:
            scales[j] = code_bits(level, g, c)
        total = F64(bits_to_float(level)) * whole
        divisor = divisor_of(total)
        every &= moderate(total)
        amax[j], totals[j] = kept_of(total), total
        parts[0, j] = high_of(divisor)
        parts[1, j] = low_of(divisor, parts[0, j])
        parts[2, j] = high_of(1.0 / divisor)
        parts[3, j] = low_of(1.0 / divisor, parts[2, j])
    return every


def single_blocks(x, out, kept, parts, g, c):
    """Blocks with moderate scales."""
    for j in range(x.shape[0]):
        high, low, inverse, little = parts[0, j], parts[1, j], parts[2, j], parts[3, j]
        mask = kept[j]
        for i in range(0, BLOCK, LINE):  # the maxima of the next chunk would wait for memory
            prefetch(x, j * BLOCK + CHUNK + i)
        for i in range(BLOCK if BLOCK > 0 else x.shape[1]):
            bits = single_bits(load(x[j, i]), high, low, inverse, little, mask, g)
            value = nearest(float_to_bits(single_value(bits, high, low)))
            out[j, i] = code_bits(bits, g, c) if ENCODE else value


def short_blocks(x, out, totals, g, c):
    """Blocks with any scales."""
    for j in range(x.shape[0]):
        total = totals[j]
        divisor, kept = divisor_of(total), kept_of(total)
        inverse = 1.0 / divisor
        for i in range(x.shape[1]):
            bits = short_bits(load(x[j, i]), divisor, inverse, kept, g)
            value = F32(rescaled(F64(bits_to_float(bits)), total))
            value = nearest(float_to_bits(value))
            out[j, i] = code_bits(bits, g, c) if ENCODE else value


def float_rows_chunk(x, out, scales, tops, amax, totals, parts, whole, unit, gl, cl, g, c):
    """Whole blocks."""
    if BLOCK > 0:
        amax_blocks(x, tops, amax)
    else:
        for j in range(amax.size):
            amax[j] = amax_of(x[j])
    if scale_blocks(amax, totals, parts, scales, whole, unit, gl, cl):
        single_blocks(x, out, amax, parts, shaped(g), c)
    else:
        short_blocks(x, out, totals, g, c)


def float_rows(x, out, scales, whole, unit, gl, cl, g, c, block):
    """Chunk by chunk, so that a chunk stays in the nearest cache between its passes. In place,
    results go by way of a buffer: LLVM has to see two arrays."""
    size = BLOCK if BLOCK > 0 else block
    blocks, same = x.size // size, not ENCODE and x.ctypes.data == out.ctypes.data
    per = min(max(1, CHUNK // size), blocks)
    many = max(1, TASK // (per * size)) * per  # blocks of a task
    for index in prange((blocks + many - 1) // many):
        task = I64(index)
        tops, amax, totals = np.empty(per, x.dtype), np.empty(per, U), np.empty(per, F64)
        parts, made = np.empty((4, per), F32), np.empty(per * size if same else 0, out.dtype)
        for j in range(task * many, min((task + 1) * many, blocks), per):
            count = min(per, min((task + 1) * many, blocks) - j)
            levels = scales[j : j + count] if ENCODE else scales
            given = x[j * size : (j + count) * size].reshape((count, size))
            place = out[j * size : (j + count) * size]
            to = (made[: count * size] if same else place).reshape((count, size))
            float_rows_chunk(
                given, to, levels, tops, amax[:count], totals, parts, whole, unit, gl, cl, g, c
            )
            if same:
                place[:] = made[: count * size]
