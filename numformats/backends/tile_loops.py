"""Loop skeletons of blocks of any layout on the CPU; see ``loops.py``.

An array is (a, n1, nb, n2, nc) with tiles (t1, t2) on axes 1 and 3, m1 and m2 of them; arrays are
flat. Work goes by matrices of elements that have a scale for every row (tiles side by side, where
nc is 1) or, ``ACROSS``, for every column (one tile). What is chosen for scales, and how a matrix is
rounded with them, the kinds of scales say: ``made_state``, ``choose``, ``round_matrix``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, ANN

import numpy as np


def made_words(size):
    """Room for the random words of ``size`` elements."""
    return np.empty(size * STOCHASTIC + 2, U)


def filled(words, first, n, size, k0, k1):
    """The words of ``n`` elements, in rows of ``size``."""
    skip = fill(words, first, n, k0, k1) if STOCHASTIC else 0
    return words[skip : skip + n * STOCHASTIC].reshape((-1, size))


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
        n, k = min(CHUNK, x.size - a), 0 if ACROSS else a // width
        if width > CHUNK:
            n = min(n, width - a % width)
        size = min(width, n)
        n = n // size * size
        rand = filled(words, at + a, n, size, k0, k1)
        given, place = x[a : a + n].reshape((n // size, size)), out[a : a + n]
        to = (made[:n] if LARGE and made.size > 0 else place).reshape((n // size, size))
        round_matrix(given, to, rand, kept, state, k, plain, spare, g, c)
        if LARGE and made.size > 0:
            place[:] = made[:n]
        a += n


def group_counts(size, n1, nb, n2, nc, t1, t2, m1, m2):
    """Tiles side by side in a group, or columns of a tile; the number of groups in a band of tiles,
    in an array of ``size`` elements, and in a task."""
    per = min(nc, CHUNK) if ACROSS else min(m2, max(1, GROUP // (t1 * t2)))
    groups = m2 * ((nc + per - 1) // per) if ACROSS else (m2 + per - 1) // per
    count = size // (n1 * nb * n2 * nc) * m1 * nb * groups
    return per, groups, count, max(1, TASK // (per * t1 * t2))


def tiles_task(
    task, x, out, scales, k0, k1, first, spare, how, g, c, n1, nb, n2, nc, t1, t2, m1, m2
):
    """Groups of tiles, or columns of one tile, that stay in a near cache between two passes."""
    same = LARGE and x.ctypes.data == out.ctypes.data
    per, groups, count, many = group_counts(x.size, n1, nb, n2, nc, t1, t2, m1, m2)
    parts = groups // m2 if ACROSS else 1
    amax, state, room = np.empty(per, U), made_state(per), min(per * t2, CHUNK)
    words, made = made_words(room), np.empty(room * same, out.dtype)
    for group in range(task * many, min((task + 1) * many, count)):
        band, part = group // groups, group % groups
        j2, at = (part // parts, part % parts * per) if ACROSS else (part * per, 0)
        found = min(per, nc - at if ACROSS else m2 - j2)
        width = found if ACROSS else t2
        i1, i2 = band // nb % m1 * t1, j2 * t2
        start = (((band // (nb * m1) * n1 + i1) * nb + band % nb) * n2 + i2) * nc + at
        wide = min(t2 if ACROSS else per * t2, n2 - i2)
        rows, length = (wide, found) if parts > 1 else (1, wide * nc)  # runs along axis 3
        runs = min(t1, n1 - i1) * rows
        kept, k = amax[:found], (band * m2 + j2) * nc + at
        kept[:] = ZERO
        for i in range(runs):
            a = start + (i // rows * nb * n2 + i % rows) * nc
            tops_of_run(x[a : a + length], kept, width)
        plain = choose(kept, state, scales[k : k + found] if ENCODE else scales, how, g)
        for i in range(runs):
            a = start + (i // rows * nb * n2 + i % rows) * nc
            given, to, e = x[a : a + length], out[a : a + length], first + a
            round_run(given, to, made, words, k0, k1, e, kept, state, plain, width, spare, g, c)
