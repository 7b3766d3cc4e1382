"""Loop skeletons of draws in float32 in blocks with power-of-two scales, on the CPU; see
``loops.py`` and, for matrices of elements and ``ACROSS``, ``tile_loops.py``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def made_words(size):
    return np.empty(size + 2, U), np.empty(size + 2, U)


def filled(words, first, n, size, k0, k1):
    """Two streams, in rows of ``size``."""
    skip = fill(words[0], first, n, k0[0], k1[0])
    fill(words[1], first, n, k0[1], k1[1])
    e = slice(skip, skip + n)
    return words[0][e].reshape((-1, size)), words[1][e].reshape((-1, size))


def made_state(size):
    return np.empty(size, I), np.empty((4, CHUNK), F64)


def choose(amax, state, scales, how, law):
    """Scales that cover what can be drawn; whether all blocks are drawn in float32."""
    (sigma, scale), every = how, True
    for j in range(amax.size):
        state[0][j] = covering_exponent(amax[j], sigma, scale)
        every &= in_single(state[0][j], law[3], law[4])
    return every


def short_blocks(x, out, words, exponents, unit):
    """The rows or columns of blocks that are drawn in float32."""
    one, two = words
    short, over = ZERO, ZERO
    for j in range(x.shape[0]):
        own = known_short(in_block(unit, exponents[0 if ACROSS else j]))
        for i in range(BLOCK if BLOCK > 0 else x.shape[1]):
            if ACROSS:
                own = known_short(in_block(unit, exponents[i]))
            mean = bits_to_float(x[j, i])
            drawn, forced_more, cut = short_element(mean, one[j, i], two[j, i], own)
            out[j, i] = float_to_bits(drawn)
            short = U(short + forced_more)
            over = U(over + cut)
    return I64(short), I64(over)


def long_run(x, out, one, two, k, room, law):
    """One run of draws in float64, in units of their scale."""
    n, totals = x.size, np.full(1, scale_of(k))
    parts, wanted, sigma, drawn = room[0, :n], room[1, :n], room[2, :n], room[3, :n]
    in_block_units(x, law[2], totals, 0, parts, wanted)
    roots(wanted, sigma)
    counts = draw_run(parts, wanted, sigma, drawn, one, two, law[1])
    out_of_units(drawn, out, totals, 0)
    return counts


def any_blocks(x, out, words, exponents, room, law):
    """As ``short_blocks``, of any blocks."""
    (one, two), step, short, over = words, 1 if ACROSS else x.shape[1], 0, 0
    for j in range(x.shape[0]):
        for i in range(0, x.shape[1], step):
            k, e = exponents[i if ACROSS else j], slice(i, i + step)
            given, rand = (x[j, e].view(F32), out[j, e].view(F32)), (one[j, e], two[j, e])
            if in_single(k, law[3], law[4]):
                found = short_run(*given, *rand, in_block(law[0], k))
            else:
                found = long_run(*given, *rand, k, room, law)
            short, over = short + found[0], over + found[1]
    return short, over


def round_matrix(x, out, words, kept, state, first, plain, counts, law, c):
    """The rows or columns from scale ``first`` on."""
    exponents, room = state
    if plain:
        short, over = short_blocks(x, out, words, exponents[first:], law[0])
    else:
        short, over = any_blocks(x, out, words, exponents[first:], room, law)
    counts[0] += short
    counts[1] += over


def short_block_draws(
    mean, variance, out, k0, k1, h0, h1, first, g, unit, scale, low, high,
    n1, nb, n2, nc, t1, t2, m1, m2,
):  # fmt: skip
    """Blocks of any layout, of stored bits; the numbers of elements with too much variance and
    beyond the range."""
    _, _, count, many = group_counts(mean.size, n1, nb, n2, nc, t1, t2, m1, m2)
    short, over = 0, 0
    for index in prange((count + many - 1) // many):
        task, how, law = I64(index), (root(variance[0]), scale), (unit, g, variance, low, high)
        found = np.zeros(2, I64)
        given = (mean, out, found, (k0, h0), (k1, h1), first, found)
        tiles_task(task, *given, how, law, ZERO, n1, nb, n2, nc, t1, t2, m1, m2)
        short += found[0]
        over += found[1]
    return short, over
