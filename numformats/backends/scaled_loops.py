"""Loop skeletons of blocks with scales of any kind on the CPU; see ``loops.py``.

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


def top_of_run(x, variance):
    """The largest magnitude that one run has to cover; with a common variance, that of the largest
    element."""
    top = U64(0)
    if REACH and variance.size > 1:
        for r in range(x.size):
            top = maximum(top, magnitude_of(reach(F64(x[r]), root(variance[r]))))
        return top
    for r in range(x.size):
        top = maximum(top, magnitude_of(F64(x[r])))
    if REACH and x.size > 0:
        return magnitude_of(reach(bits_to_real(top), root(variance[0])))
    return top


def tops(x, variance, tops, n1, nb, n2, nc, t1, t2, m1, m2):
    """Largest magnitudes of all tiles, which come zeroed."""
    for index in prange(tops.size // nc):
        tile = I64(index)  # unsigned and signed would make a float
        for i in range(t1):
            start, length = run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2)
            if nc == 1:
                spread = variance[start : start + length] if variance.size > 1 else variance
                top = top_of_run(x[start : start + length], spread)
                tops[tile] = maximum(tops[tile], top)
                continue
            for ic in range(nc):
                top = tops[tile * nc + ic]
                for r in range(start + ic, start + length, nc):
                    top = maximum(top, magnitude_of(seen(x, variance, r)))
                tops[tile * nc + ic] = top


def levels(tops, totals, codes, top, given, v, b, g, general, c):
    """The scale of every tile times that of the array, which is returned; and its code."""
    second = tensor_level(bits_to_real(top), given, v)
    for k in prange(tops.size):
        level = power_level(tops[k], b) if POWER else float_level(tops[k], second, v, g, general)
        totals[k] = level * second
        if ENCODE:
            codes[k] = code_bits(real_to_bits(level), g, c)
    return second


def scaled_element(x, total, rand, spare, g, c):
    bits = scaled_bits(F64(x), total, rand, spare, g, GENERAL)
    return code_bits(bits, g, c) if ENCODE else rescaled(unit_value(bits), total)


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


def in_block_units(mean, variance, totals, at, parts, wanted):
    """Means and variances of elements ``at`` .. of a run in units of their scales."""
    total, common, nc = totals[0], variance[0], totals.size
    for r in range(parts.size):
        if nc > 1:
            total = totals[(at + r) % nc]
        parts[r] = unit_mean(F64(mean[r]), total)
        wanted[r] = unit_variance(variance[r] if variance.size > 1 else common, total)


def out_of_units(drawn, out, totals, at):
    total, nc = totals[0], totals.size
    for r in range(out.size):
        if nc > 1:
            total = totals[(at + r) % nc]
        out[r] = rescaled(drawn[r], total)


def block_draws(
    mean, variance, out, totals, k0, k1, h0, h1, first, g, counts, n1, nb, n2, nc, t1, t2, m1, m2
):
    """Draws in units of their scale, stretch by stretch; ``counts`` as in ``draws``, a row for each
    group of tiles."""
    tiles, size = totals.size // nc, min(t2 * nc, 1024)
    for index in prange((tiles + CHUNK - 1) // CHUNK):
        group = I64(index)  # unsigned and signed would make a float
        one, two = np.empty(size + 2, U), np.empty(size + 2, U)
        parts, wanted, sigma = np.empty(size, F64), np.empty(size, F64), np.empty(size, F64)
        drawn = np.empty(size, F64)
        for tile in range(group * CHUNK, min((group + 1) * CHUNK, tiles)):
            scales = totals[tile * nc : (tile + 1) * nc]
            for i in range(t1):
                start, length = run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2)
                for at in range(0, length, size):
                    n = min(size, length - at)
                    a, b = start + at, start + at + n
                    spread = variance[a:b] if variance.size > 1 else variance
                    in_block_units(mean[a:b], spread, scales, at, parts[:n], wanted[:n])
                    skip = fill(one, first + a, n, k0, k1)
                    fill(two, first + a, n, h0, h1)
                    roots(wanted[:n], sigma)
                    given = (parts[:n], wanted, sigma, drawn)
                    short, over = draw_run(*given, one[skip:], two[skip:], g)
                    out_of_units(drawn, out[a:b], scales, at)
                    counts[group, 0] += short
                    counts[group, 1] += over
