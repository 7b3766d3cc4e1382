"""Loop skeletons of draws in float32; see ``cuda_loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, ANN


def known(g):
    """As that of ``random_loops.py``."""
    return known_short(g)


def gaps_of(p, w0, w1, g):
    """The magnitude that the law of a place leads to, in gaps."""
    if LAW == WIDE or (LAW != NARROW and p.wide):
        return wide_gaps(p, w0, w1)
    return narrow_gaps(p, w0, w1, g)


def short_single(m, w0, w1, g):
    """A draw, whether it has too much variance, and whether it was beyond the range."""
    p = placed_in_gaps(m, g)
    free = landed(m, p, gaps_of(p, w0, w1, g))
    over = outside(free, g.smallest, g.largest)
    short = False if LAW == WIDE else forces_more(p)  # the wide law has variance to spare
    return settled(limit(free, g.smallest, g.largest, free)), U64(short), U64(over)


def own_single(m, variance, w0, w1, g, unit, nothing, low, high):
    """That with a variance of its own, in float64 where float32 does not serve it."""
    v = short_variance(variance)
    if is_short(v, nothing, low, high):
        return short_single(m, w0, w1, with_variance(v, unit))
    wide = F64(variance)
    return drawn_single(m, wide, root(wide), w0, w1, g)


def own_draws(
    mean, variance, out, k0, k1, h0, h1, first, g, unit, nothing, low, high, counts
):  # fmt: skip
    """``counts`` gathers too much variance and beyond the range."""
    j, n, short, over = here(), U64(mean.size), U64(0), U64(0)
    rule = (known(g), known_short(unit), nothing, low, high)
    while j < turns(n, first):
        a, also_a = turn_words(j, first, k0, k1, True)
        b, also_b = turn_words(j, first, h0, h1, True)
        i = place_of(j, first)
        if i < n:
            out[i], excess, cut = own_single(mean[i], variance[i], a, b, *rule)
            short, over = short + excess, over + cut
        i = U64(i + U64(1))
        if i < n:
            out[i], excess, cut = own_single(mean[i], variance[i], also_a, also_b, *rule)
            short, over = short + excess, over + cut
        j = U64(j + stride())
    gather(counts, 0, short)
    gather(counts, 1, over)


def drawn_single(m, variance, sigma, w0, w1, g):
    """As that of ``cuda_langevin_loops.py``; the variance is that of ``g``."""
    return short_single(m, w0, w1, g)


def short_draws(mean, out, k0, k1, h0, h1, first, g, counts):
    """``counts`` gathers too much variance and beyond the range."""
    j, n, g, short, over = here(), U64(mean.size), known(g), U64(0), U64(0)
    while j < turns(n, first):
        a, also_a = turn_words(j, first, k0, k1, True)
        b, also_b = turn_words(j, first, h0, h1, True)
        i = place_of(j, first)
        if i < n:
            out[i], excess, cut = short_single(mean[i], a, b, g)
            short, over = short + excess, over + cut
        i = U64(i + U64(1))
        if i < n:
            out[i], excess, cut = short_single(mean[i], also_a, also_b, g)
            short, over = short + excess, over + cut
        j = U64(j + stride())
    gather(counts, 0, short)
    gather(counts, 1, over)
