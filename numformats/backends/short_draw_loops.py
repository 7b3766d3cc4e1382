"""Loop skeletons of draws in float32 on the CPU; see ``loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def known(g):
    """A grid of which the compiler knows the kind."""
    man_bits = I(-1) if UNIFORM else maximum(g.man_bits, I(0))
    return ShortDraw(
        man_bits, g.bottom, g.around, I(SPARSE), g.lowest, g.largest, g.smallest, g.limit,
        g.ceiling, g.variance, g.reach, g.widest, g.least,
    )  # fmt: skip


def draw_run(mean, variance, sigma, out, one, two, g):
    """As that of ``random_loops.py``; the variance is that of ``g``."""
    short, over, g = ZERO, ZERO, known(g)  # wider counts would halve the vectors
    for i in range(mean.size):
        p = placed_in_gaps(mean[i], g)
        if LAW == WIDE:
            gaps = wide_gaps(p, one[i], two[i])
        elif LAW == NARROW:
            gaps = narrow_gaps(p, one[i], two[i], g)
        else:
            gaps = either_gaps(p, one[i], two[i], g)
        free = landed(mean[i], p, gaps)
        short = U(short + U(forces_more(p)))
        over = U(over + U(outside(free, g.smallest, g.largest)))
        out[i] = limit(free, g.smallest, g.largest, F32(np.nan))
    return I64(short), I64(over)


def short_draws(mean, out, k0, k1, h0, h1, first, g, counts):
    n = mean.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        one, two, none = np.empty(CHUNK + 2, U), np.empty(CHUNK + 2, U), np.empty(0, F64)
        skip = fill(one, first + a, b - a, k0, k1)
        fill(two, first + a, b - a, h0, h1)
        counts[chunk, 0], counts[chunk, 1] = draw_run(
            mean[a:b], none, none, out[a:b], one[skip:], two[skip:], g
        )
