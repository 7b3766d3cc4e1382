"""Loop skeletons of blocks of any layout on the CPU; see ``loops.py``.

An array is (a, n1, nb, n2, nc) with tiles (t1, t2) on axes 1 and 3, m1 and m2 of them; arrays are
flat. Work goes by matrices of elements that have a scale for every row (tiles side by side, where
nc is 1) or, ``ACROSS``, for every column (one tile). What is chosen for scales, and how a matrix is
rounded with them, the kinds of scales say: ``made_state``, ``choose``, ``round_matrix``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, ANN

import numpy as np


def tops_of(x, tops):
    """The largest magnitudes so far of the rows or columns of a matrix."""
    for j in range(x.shape[0]):
        if ACROSS:
            for i in range(x.shape[1]):
                tops[i] = maximum(tops[i], U(load(x[j, i]) & MAGNITUDE))
        else:
            tops[j] = maximum(tops[j], amax_of(x[j]))


def tops_of_run(x, tops, width):
    """As ``tops_of``, of rows of ``width`` elements, of which the last may be short."""
    whole = x.size // width * width
    tops_of(x[:whole].reshape((-1, width)), tops)
    if whole < x.size:
        tops_of(x[whole:].reshape((1, -1)), tops[whole // width :])


def round_run(x, out, made, words, k0, k1, at, kept, state, plain, width, spare, g, c):
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
        rand = words[skip : skip + n * STOCHASTIC].reshape((-1, size))
        given, place = x[a : a + n].reshape((n // size, size)), out[a : a + n]
        to = (made[:n] if LARGE and made.size > 0 else place).reshape((n // size, size))
        round_matrix(given, to, rand, kept, state, k, plain, spare, g, c)
        if LARGE and made.size > 0:
            place[:] = made[:n]
        a += n


def side_by_side(m2, t1, t2):
    """How many tiles are taken together."""
    return 1 if ACROSS else min(m2, max(1, GROUP // (t1 * t2)))


def group_counts(size, n1, nb, n2, nc, t1, t2, m1, m2):
    """The number of groups of tiles in an array of ``size`` elements, and that of a task."""
    per = side_by_side(m2, t1, t2)
    count = size // (n1 * nb * n2 * nc) * m1 * nb * ((m2 + per - 1) // per)
    return count, max(1, TASK // (per * nc * t1 * t2))


def tiles_task(
    task, x, out, scales, k0, k1, first, spare, how, g, c, n1, nb, n2, nc, t1, t2, m1, m2
):
    """Groups of tiles that stay in a near cache between two passes."""
    width, same = nc if ACROSS else t2, LARGE and x.ctypes.data == out.ctypes.data
    per = side_by_side(m2, t1, t2)
    groups, size = (m2 + per - 1) // per, per * nc
    count, many = group_counts(x.size, n1, nb, n2, nc, t1, t2, m1, m2)
    amax, state, room = np.empty(size, U), made_state(size), min(size * t2, CHUNK)
    words, made = np.empty(room * STOCHASTIC + 2, U), np.empty(room * same, out.dtype)
    for group in range(task * many, min((task + 1) * many, count)):
        band, j2 = group // groups, group % groups * per
        i1, found = band // nb % m1 * t1, min(per, m2 - j2) * nc
        start = (((band // (nb * m1) * n1 + i1) * nb + band % nb) * n2 + j2 * t2) * nc
        length, step = min(per * t2, n2 - j2 * t2) * nc, nb * n2 * nc
        kept, k = amax[:found], (band * m2 + j2) * nc
        kept[:] = ZERO
        for i in range(min(t1, n1 - i1)):
            a = start + i * step
            tops_of_run(x[a : a + length], kept, width)
        plain = choose(kept, state, scales[k : k + found] if ENCODE else scales, how, g)
        for i in range(min(t1, n1 - i1)):
            a = start + i * step
            given, to, at = x[a : a + length], out[a : a + length], first + a
            round_run(given, to, made, words, k0, k1, at, kept, state, plain, width, spare, g, c)
