"""Loop skeletons of the CPU kernels: an index, a load, the core text, a store. No arithmetic lives here.

The names in capitals and ``load``/``store`` are bound when a kernel is emitted; this module only has to be readable.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import prange
import numpy as np


def fill_words(words, first, n, k0, k1):
    """Words for elements ``first`` .. ``first + n``; returns how many of the buffer's first words to skip."""
    odd = first & 1
    base = first >> 1
    low, high = W32(base & 0xFFFFFFFF), W32(base >> 32)
    for j in range((n + odd + 1) >> 1):
        c0 = W32(low + W32(j))
        a, b = threefry(k0, k1, c0, W32(high + W32(c0 < low)))
        words[2 * j] = a
        words[2 * j + 1] = b
    return odd


def fill_long_words(words, first, n, k0, k1):
    """64-bit words for elements ``first`` .. ``first + n``: element i takes both words of counter i."""
    low, high = W32(first & 0xFFFFFFFF), W32(first >> 32)
    for j in range(n):
        c0 = W32(low + W32(j))
        a, b = threefry(k0, k1, c0, W32(high + W32(c0 < low)))
        words[j] = (U64(a) << U64(32)) | U64(b)
    return 0


def quantize(x, out, k0, k1, first, spare, g, c):
    n = x.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        if STOCHASTIC:
            words = np.empty(CHUNK + 2, U)
            skip = fill(words, first + a, b - a, k0, k1)
            for i in range(b - a):
                out[a + i] = store(round_bits(load(x[a + i]), words[skip + i], spare, g, GENERAL), g, c)
        else:
            for i in range(a, b):
                out[i] = store(round_bits(load(x[i]), ZERO, spare, g, GENERAL), g, c)


def wrap(x, out, k0, k1, first, spare, g, c, mask, half, q):
    n = x.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        words = np.zeros(CHUNK + 2, U)
        skip = 0
        if STOCHASTIC:
            skip = fill(words, first + a, b - a, k0, k1)
        for i in range(b - a):
            out[a + i] = store(wrap_bits(load(x[a + i]), words[skip + i], spare, g, mask, half, q), g, c)


def amax_of(x):
    amax = ZERO
    for i in range(x.size):
        amax = maximum(amax, U(load(x[i]) & MAGNITUDE))
    return amax


def round_run(x, out, words, amax, k, spare, g, general, c):
    """One contiguous run of elements that share the exponent ``k``."""
    if needs_general(g, k, general):
        moved = scaled_grid(g, k, True)
        for i in range(x.size):
            bits = block_bits(load(x[i]), words[i], spare, moved, amax, True)
            out[i] = store(bits, moved, c)
    else:
        moved = scaled_grid(g, k, False)
        for i in range(x.size):
            bits = block_bits(load(x[i]), words[i], spare, moved, amax, False)
            out[i] = store(bits, moved, c)


def rows(x, out, scales, k0, k1, first, spare, g, general, c, b, block):
    """Blocks along contiguous rows: ``x`` is (rows, n), ``scales`` is (rows, blocks)."""
    n = x.shape[1]
    size = BLOCK if BLOCK > 0 else block
    per = max(1, CHUNK // size)
    blocks = (n + size - 1) // size
    parts = (blocks + per - 1) // per
    for task in prange(x.shape[0] * parts):
        row = task // parts
        start = (task % parts) * per * size
        stop = min(start + per * size, n)
        words = np.zeros(min(size, n) + 2, U)
        for a in range(start, stop, size):
            e = min(a + size, n)
            skip = 0
            if STOCHASTIC:
                skip = fill(words, first + row * n + a, e - a, k0, k1)
            amax = amax_of(x[row, a:e])
            k = scale_exponent(amax, b)
            if ENCODE:
                scales[row, a // size] = scale_code(k, amax, b)
            round_run(x[row, a:e], out[row, a:e], words[skip:], amax, k, spare, g, general, c)


def tiles(x, out, scales, k0, k1, first, spare, g, general, c, b, t1, t2):
    """Any blocks: ``x`` is (a, n1, b, n2, c) with tiles (t1, t2) on axes 1 and 3; runs follow the last axis."""
    n0, n1, nb, n2, nc = x.shape
    m1, m2 = (n1 + t1 - 1) // t1, (n2 + t2 - 1) // t2
    for task in prange(n0 * m1 * nb * m2):
        j2 = task % m2
        ib = (task // m2) % nb
        j1 = (task // (m2 * nb)) % m1
        i0 = task // (m2 * nb * m1)
        amax = np.zeros(nc, U)
        for i1 in range(j1 * t1, min((j1 + 1) * t1, n1)):
            for i2 in range(j2 * t2, min((j2 + 1) * t2, n2)):
                for ic in range(nc):
                    amax[ic] = maximum(amax[ic], U(load(x[i0, i1, ib, i2, ic]) & MAGNITUDE))
        every = general
        for ic in range(nc):
            k = scale_exponent(amax[ic], b)
            if ENCODE:
                scales[i0, j1, ib, j2, ic] = scale_code(k, amax[ic], b)
            every = every | needs_general(g, k, general)
        words = np.zeros(nc + 2, U)
        for i1 in range(j1 * t1, min((j1 + 1) * t1, n1)):
            for i2 in range(j2 * t2, min((j2 + 1) * t2, n2)):
                skip = 0
                if STOCHASTIC:
                    at = (((i0 * n1 + i1) * nb + ib) * n2 + i2) * nc
                    skip = fill(words, first + at, nc, k0, k1)
                lanes(x[i0, i1, ib, i2], out[i0, i1, ib, i2], words[skip:], amax, spare, g, every, c, b)


def lanes(x, out, words, amax, spare, g, general, c, b):
    """One run in which every element belongs to another block."""
    if general:
        for i in range(x.size):
            moved = scaled_grid(g, scale_exponent(amax[i], b), True)
            bits = block_bits(load(x[i]), words[i], spare, moved, amax[i], True)
            out[i] = store(bits, moved, c)
    else:
        for i in range(x.size):
            moved = scaled_grid(g, scale_exponent(amax[i], b), False)
            bits = block_bits(load(x[i]), words[i], spare, moved, amax[i], False)
            out[i] = store(bits, moved, c)


def words(out, k0, k1, first):
    n = out.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        buffer = np.empty(CHUNK + 2, U)
        skip = fill(buffer, first + a, b - a, k0, k1)
        for i in range(b - a):
            out[a + i] = buffer[skip + i]


def normals(out, k0, k1, first):
    n = out.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        buffer = np.empty(CHUNK + 2, U)
        skip = fill(buffer, first + a, b - a, k0, k1)
        for i in range(b - a):
            out[a + i] = normal(buffer[skip + i])


def draws(mean, variance, out, k0, k1, h0, h1, first, g, counts):
    n = mean.size
    step = 1 if variance.size > 1 else 0
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        one, two = np.empty(CHUNK + 2, U), np.empty(CHUNK + 2, U)
        skip = fill(one, first + a, b - a, k0, k1)
        fill(two, first + a, b - a, h0, h1)
        short = 0
        beyond = 0
        for i in range(b - a):
            m, v = F64(mean[a + i]), F64(variance[(a + i) * step])
            free = draw(m, v, one[skip + i], two[skip + i], g)
            bounded = limit(free, g)
            short += missing(m, v, g) > 0.0
            beyond += bounded != free
            out[a + i] = bounded
        counts[chunk, 0] = short
        counts[chunk, 1] = beyond
