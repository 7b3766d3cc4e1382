"""Loop skeletons of blocks with scales of any kind, and of decoding, on the CPU; see ``loops.py``.

An array is (a, n1, nb, n2, nc) with tiles (t1, t2) on axes 1 and 3, m1 and m2 of them; arrays are
flat. The elements of a tile along axes 3 and 4 are one run, in which index ``r`` belongs to scale
``r % nc`` of the tile.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2):
    """Start and length of run ``i`` of a tile; length 0 beyond its last."""
    j2, ib, j1 = tile % m2, tile // m2 % nb, tile // (m2 * nb) % m1
    i1 = j1 * t1 + i
    start = (((tile // (m2 * nb * m1) * n1 + i1) * nb + ib) * n2 + j2 * t2) * nc
    return start, (min(t2, n2 - j2 * t2) * nc if i1 < n1 else 0)


def seen(x, variance, i):
    """What the scale has to cover at element ``i``."""
    if REACH:
        return reach(F64(x[i]), root(variance[i] if variance.size > 1 else variance[0]))
    return F64(x[i])


def finite_tops(x, variance, found):
    """The largest finite magnitudes of stretches of ``TASK`` elements."""
    for index in prange(found.size):
        task, top = I64(index), U64(0)
        for i in range(task * TASK, min((task + 1) * TASK, x.size)):
            size = magnitude_of(seen(x, variance, i))
            top = maximum(top, where(size < INF_BITS, size, U64(0)))
        found[task] = top


def tops(x, variance, tops, n1, nb, n2, nc, t1, t2, m1, m2):
    """Largest magnitudes of all tiles, which come zeroed."""
    for index in prange(tops.size // nc):
        tile = I64(index)  # unsigned and signed would make a float
        for i in range(t1):
            start, length = run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2)
            for ic in range(nc):
                top = tops[tile * nc + ic]
                for r in range(start + ic, start + length, nc):
                    top = maximum(top, magnitude_of(seen(x, variance, r)))
                tops[tile * nc + ic] = top


def levels(tops, totals, codes, top, v, b, g, general, c):
    """The scale of every tile times that of the array, which is returned; and its code."""
    second = tensor_level(top, v)
    for k in prange(tops.size):
        level = power_level(tops[k], b) if POWER else float_level(tops[k], second, v, g, general)
        totals[k] = level * second
        if ENCODE:
            codes[k] = code_bits(real_to_bits(level), g, c)
    return second


def scaled_element(x, total, rand, spare, g, c):
    bits = scaled_bits(F64(x), total, rand, spare, g, GENERAL)
    return code_bits(bits, g, c) if ENCODE else rescaled(bits_to_real(bits), total)


def scaled_run(x, out, words, totals, spare, g, c):
    """One run of elements that share a scale, or take theirs in turn."""
    total, nc = totals[0], totals.size
    for r in range(x.size):
        if nc > 1:
            total = totals[r % nc]
        rand = words[r] if STOCHASTIC else ZERO
        out[r] = scaled_element(x[r], total, rand, spare, g, c)


def scaled(x, out, totals, k0, k1, first, spare, g, c, n1, nb, n2, nc, t1, t2, m1, m2):
    """Every element in units of its scale, rounded; tiles in groups that share a buffer."""
    tiles = totals.size // nc
    for index in prange((tiles + CHUNK - 1) // CHUNK):
        group = I64(index)  # unsigned and signed would make a float
        words = np.empty(t2 * nc + 2 if STOCHASTIC else 1, U)
        for tile in range(group * CHUNK, min((group + 1) * CHUNK, tiles)):
            scales = totals[tile * nc : (tile + 1) * nc]
            for i in range(t1):
                a, length = run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2)
                skip = fill(words, first + a, length, k0, k1) if STOCHASTIC else 0
                x_run, out_run = x[a : a + length], out[a : a + length]
                scaled_run(x_run, out_run, words[skip:], scales, spare, g, c)


def block_draws(
    mean, variance, out, totals, k0, k1, h0, h1, first, g, counts, n1, nb, n2, nc, t1, t2, m1, m2
):
    """Draws in units of their scale; ``counts`` as in ``draws``, a row for each group of tiles."""
    tiles = totals.size // nc
    for index in prange((tiles + CHUNK - 1) // CHUNK):
        group = I64(index)  # unsigned and signed would make a float
        one, two = np.empty(t2 * nc + 2, U), np.empty(t2 * nc + 2, U)
        for tile in range(group * CHUNK, min((group + 1) * CHUNK, tiles)):
            for i in range(t1):
                a, length = run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2)
                skip = fill(one, first + a, length, k0, k1)
                fill(two, first + a, length, h0, h1)
                for r in range(length):
                    total = totals[tile * nc + r % nc] if nc > 1 else totals[tile]
                    v = variance[a + r] if variance.size > 1 else variance[0]
                    m, v = unit_mean(F64(mean[a + r]), total), unit_variance(v, total)
                    free = draw(m, v, one[skip + r], two[skip + r], g)
                    bounded = limit(free, g)
                    counts[group, 0] += I64(missing(m, v, g) > 0.0)
                    counts[group, 1] += I64(bounded != free)
                    out[a + r] = rescaled(bounded, total)


def decoded(codes, out, spec):
    for i in prange(codes.size):
        out[i] = bits_to_real(value_bits(U(codes[i]), spec))


def block_decoded(codes, out, totals, second, spec, n1, nb, n2, nc, t1, t2, m1, m2):
    """Values of element codes times their scales."""
    for index in prange(totals.size // nc):
        tile = I64(index)
        for i in range(t1):
            a, length = run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2)
            for r in range(length):
                total = (totals[tile * nc + r % nc] if nc > 1 else totals[tile]) * second
                out[a + r] = bits_to_real(value_bits(U(codes[a + r]), spec)) * total
