"""Loop skeletons of draws in float32 on the CPU; see ``loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import prange


def known_short(g):
    """A grid of which the compiler knows the kind."""
    man_bits = I(-1) if UNIFORM else maximum(g.man_bits, I(0))
    return ShortDraw(
        man_bits, g.bottom, g.around, I(SPARSE), g.lowest, g.largest, g.smallest, g.limit,
        g.ceiling, g.variance, g.reach, g.widest, g.least,
    )  # fmt: skip


def short_element(mean, one, two, g):
    """A draw, whether it has too much variance, and whether it lay beyond the range."""
    p = placed_in_gaps(mean, g)
    if LAW == WIDE:
        gaps = wide_gaps(p, one, two)
    elif LAW == NARROW:
        gaps = narrow_gaps(p, one, two, g)
    elif UNIFORM:  # in a block, whose law is one for all elements
        gaps = wide_gaps(p, one, two) if p.wide else narrow_gaps(p, one, two, g)
    else:
        gaps = either_gaps(p, one, two, g)
    return within(mean, p, gaps, g)


def within(mean, p, gaps, g):
    """The draw that leads ``gaps`` far, in the range, and what is counted of it."""
    free = landed(mean, p, gaps)
    drawn = limit(free, g.smallest, g.largest, F32(np.nan))
    return drawn, U(forces_more(p)), U(outside(free, g.smallest, g.largest))


def short_run(mean, out, one, two, g):
    """One run of draws; the numbers of elements with too much variance and beyond the range."""
    short, over, g = ZERO, ZERO, known_short(g)  # wider counts would halve the vectors
    for i in range(mean.size):
        out[i], forced_more, cut = short_element(mean[i], one[i], two[i], g)
        short = U(short + forced_more)
        over = U(over + cut)
    return I64(short), I64(over)


def draw_run(mean, variance, sigma, out, one, two, g):
    """As that of ``random_loops.py``; the variance is that of ``g``."""
    return short_run(mean, out, one, two, g)


def short_draws(mean, out, k0, k1, h0, h1, first, g, counts):
    n = mean.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        one, two = both_words(first + a, b - a, k0, k1, h0, h1)
        counts[chunk, 0], counts[chunk, 1] = short_run(mean[a:b], out[a:b], one, two, g)


def own_run(mean, variance, out, one, two, g, unit, nothing, low, high):
    """One run of draws whose variances are those of elements. ``out`` may be ``mean``."""
    short, over, rest, unit = ZERO, ZERO, ZERO, known_short(unit)
    for i in range(mean.size):
        v = short_variance(variance[i])
        law, served = with_variance(v, unit), is_short(v, nothing, low, high)
        p = placed_in_gaps(mean[i], law)
        drawn, forced_more, cut = within(mean[i], p, either_gaps(p, one[i], two[i], law), law)
        out[i] = where(served, drawn, mean[i])
        short = U(short + where(served, forced_more, ZERO))
        over = U(over + where(served, cut, ZERO))
        rest = U(rest + U(not served))
    if rest > ZERO:
        more, further = rest_of_run(variance, out, one, two, known(g), nothing, low, high)
        return I64(short) + more, I64(over) + further
    return I64(short), I64(over)


def rest_of_run(variance, out, one, two, g, nothing, low, high):
    """The draws in float64 of what that leaves: means in ``out``."""
    short, over = 0, 0
    for i in range(out.size):
        if not is_short(short_variance(variance[i]), nothing, low, high):
            v = F64(variance[i])
            forced_more, cut = drawn_at(i, out, v, root(v), out, one, two, g)
            short += forced_more
            over += cut
    return short, over


def own_draws(mean, variance, out, k0, k1, h0, h1, first, g, unit, nothing, low, high, counts):
    n = mean.size
    for chunk in prange((n + CHUNK - 1) // CHUNK):
        a = chunk * CHUNK
        b = min(a + CHUNK, n)
        one, two = both_words(first + a, b - a, k0, k1, h0, h1)
        counts[chunk, 0], counts[chunk, 1] = own_run(
            mean[a:b], variance[a:b], out[a:b], one, two, g, unit, nothing, low, high
        )
