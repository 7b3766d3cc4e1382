"""Loop skeletons of random words, normals and draws on the CPU; see ``loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def fill_two(one, two, low, high, k0, k1):
    """Two stretches of counters at a time: a single chain of rounds is bound by latency."""
    half = one.size >> 1
    for j in range(half):
        c0, d0 = W32(low + W32(j)), W32(W32(low + W32(half)) + W32(j))
        a, b = threefry(k0, k1, c0, W32(high + W32(c0 < low)))
        c, d = threefry(k0, k1, d0, W32(high + W32(d0 < low)))
        one[2 * j] = a
        one[2 * j + 1] = b
        two[2 * j] = c
        two[2 * j + 1] = d


def fill_words(words, first, n, k0, k1):
    """Words for elements ``first`` .. ``first + n``; returns how many of the first to skip."""
    odd = first & 1
    base = first >> 1
    low, high = W32(base & 0xFFFFFFFF), W32(base >> 32)
    pairs = (n + odd + 1) >> 1
    half = pairs >> 1
    fill_two(words[: 2 * half], words[2 * half : 4 * half], low, high, k0, k1)
    for j in range(2 * half, pairs):
        c0 = W32(low + W32(j))
        words[2 * j], words[2 * j + 1] = threefry(k0, k1, c0, W32(high + W32(c0 < low)))
    return odd


def fill_long_words(words, first, n, k0, k1):
    """64-bit words for elements ``first`` .. ``first + n``: element i takes both words of counter
    i."""
    low, high = W32(first & 0xFFFFFFFF), W32(first >> 32)
    for j in range(n):
        c0 = W32(low + W32(j))
        a, b = threefry(k0, k1, c0, W32(high + W32(c0 < low)))
        words[j] = (U64(a) << U64(32)) | U64(b)
    return 0


def both_words(first, n, k0, k1, h0, h1):
    """The two words of a draw, for elements ``first`` .. ``first + n``, ``n`` <= CHUNK."""
    one, two = np.empty(CHUNK + 2, U), np.empty(CHUNK + 2, U)
    skip = fill(one, first, n, k0, k1)
    fill(two, first, n, h0, h1)
    return one[skip:], two[skip:]


def copy_run(out, words):
    for i in range(out.size):
        out[i] = words[i]


def deviates(words, z, places, few, tails):
    """Normals of words: those of the middle for all, then the tails of the few that lie there."""
    for i in range(z.size):
        z[i] = middle(words[i])
    count = 0
    for i in range(z.size):
        places[count] = i
        count += I64(in_tail(words[i]))
    for k in range(count):
        few[k] = words[places[k]]
    for k in range(count):
        tails[k] = outer(few[k])
    for k in range(count):
        z[places[k]] = tails[k]


def words(out, k0, k1, first):
    n = out.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        buffer = np.empty(CHUNK + 2, U)
        skip = fill(buffer, first + a, b - a, k0, k1)
        copy_run(out[a:b], buffer[skip:])


def normals(out, k0, k1, first):
    """Float32 ones."""
    n = out.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        buffer, part = np.empty(CHUNK + 2, U), out[a:b]
        words = buffer[fill(buffer, first + a, b - a, k0, k1) :]
        for i in range(part.size):
            part[i] = deviate(words[i])


def long_normals(out, k0, k1, first):
    """Float64 ones."""
    n = out.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        buffer, few = np.empty(CHUNK + 2, U), np.empty(CHUNK, U)
        z, tails, places = np.empty(CHUNK, F64), np.empty(CHUNK, F64), np.empty(CHUNK, I64)
        skip = fill(buffer, first + a, b - a, k0, k1)
        deviates(buffer[skip:], z[: b - a], places, few, tails)
        copy_run(out[a:b], z)


def known(g):
    """A grid of which the compiler knows the kind."""
    man_bits = I64(-1) if UNIFORM else maximum(g.man_bits, I64(0))
    return DrawGrid(man_bits, g.lowest, g.least, g.largest, g.smallest, I64(SPARSE))


def drawn_at(i, mean, variance, sigma, out, one, two, g):
    """Element ``i`` drawn; if it has too much variance, and if it lay beyond the range."""
    free, forced_more = draw(F64(mean[i]), variance, sigma, one[i], two[i], g)
    out[i] = free
    cut = outside(F64(out[i]), g.smallest, g.largest)
    out[i] = limit(F64(out[i]), g.smallest, g.largest, np.nan)
    return I64(forced_more), I64(cut)


def draw_run(mean, variance, sigma, out, one, two, g):
    """One run of draws; the numbers of elements with too much variance and beyond the range."""
    short = 0
    over = 0
    g = known(g)
    for i in range(mean.size):
        forced_more, cut = drawn_at(i, mean, variance[i], sigma[i], out, one, two, g)
        short += forced_more
        over += cut
    return short, over


def roots(variance, sigma):
    for i in range(variance.size):
        sigma[i] = root(variance[i])


def draws(mean, variance, out, k0, k1, h0, h1, first, g, counts):
    n = mean.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        wanted, sigma = np.full(b - a, variance[0]), np.full(b - a, root(variance[0]))
        if variance.size > 1:
            wanted[:] = variance[a:b]
            roots(wanted, sigma)
        one, two = both_words(first + a, b - a, k0, k1, h0, h1)
        counts[chunk, 0], counts[chunk, 1] = draw_run(
            mean[a:b], wanted, sigma, out[a:b], one, two, g
        )
