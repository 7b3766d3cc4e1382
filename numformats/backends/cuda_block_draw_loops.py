"""Loop skeletons of draws in float32 in blocks with power-of-two scales; see ``cuda_loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, ANN

from numba import cuda

from numformats.backends import cuda_loops

draw_maxima = cuda_loops.maxima


def long_member(m, k, w0, w1, out, i, g, variance):
    """A draw in float64, in units of its scale; whether it has too much variance, and whether it
    lay beyond the range."""
    total = scale_of(k)
    wanted = unit_variance(variance, total)
    free, forced = draw(unit_mean(F64(m), total), wanted, root(wanted), w0, w1, g)
    put_real(out, i, rescaled(bounded(free, g), total))
    return U64(forced), U64(outside(free, g.smallest, g.largest))


def block_member(m, k, own, w0, w1, out, i, inside, g, variance):
    """As ``long_member``; in float32 on the grid ``own`` of the block where this is ``inside``."""
    if inside:
        out[i], forced, over = short_single(m, w0, w1, own)
        return forced, over
    return long_member(m, k, w0, w1, out, i, g, variance)


def draw_rows(
    mean, out, k0, k1, h0, h1, first, g, unit, scale, low, high, variance, counts
):  # fmt: skip
    """Blocks of ``BLOCK`` elements that fill memory, as in ``rows``; ``counts`` gathers too much
    variance and beyond the range."""
    shared = cuda.shared.array(256, SHARED)
    me, span, sigma = W32(cuda.threadIdx.x), W32(SPAN), root(variance)
    base, quarters = U64(U64(cuda.blockIdx.x) * U64(span)), U64(mean.size // 4)
    g, unit, short, over = known(g), known_short(unit), U64(0), U64(0)
    while base < quarters:
        at = U64(U64(base + U64(me)) * U64(4))
        busy = me < span and at < U64(mean.size)
        four = four_of(mean, at if busy else U64(0))
        top = block_top(shared, me, top_of(four) if busy else ZERO, busy)
        if busy:
            k = covering_exponent(top, sigma, scale)
            inside = in_single(k, low, high)
            own = in_block(unit, k if inside else low)
            one = four_words(U64(first + at), k0, k1)
            two = four_words(U64(first + at), h0, h1)
            rule = inside, g, variance
            s0, c0 = block_member(four[0], k, own, one[0], two[0], out, at, *rule)
            i = U64(at + U64(1))
            s1, c1 = block_member(four[1], k, own, one[1], two[1], out, i, *rule)
            i = U64(at + U64(2))
            s2, c2 = block_member(four[2], k, own, one[2], two[2], out, i, *rule)
            i = U64(at + U64(3))
            s3, c3 = block_member(four[3], k, own, one[3], two[3], out, i, *rule)
            short, over = short + s0 + s1 + s2 + s3, over + c0 + c1 + c2 + c3
        base = U64(base + U64(U64(cuda.gridDim.x) * U64(span)))
    gather(counts, 0, short)
    gather(counts, 1, over)


def draw_tiles(
    mean, out, amax, k0, k1, h0, h1, first, g, unit, scale, low, high, variance, counts,
    n1, nb, n2, nc, t1, t2, m1, m2,
):  # fmt: skip
    """Second pass: every element on the grid of its block."""
    g, unit, sigma = known(g), known_short(unit), root(variance)
    short, over = U64(0), U64(0)
    i = here()
    while i < U64(mean.size):
        k = covering_exponent(amax[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)], sigma, scale)
        inside = in_single(k, low, high)
        own, e = in_block(unit, k if inside else low), U64(first + i)
        one, two = word_of(e, k0, k1), word_of(e, h0, h1)
        forced, cut = block_member(mean[i], k, own, one, two, out, i, inside, g, variance)
        short, over = short + forced, over + cut
        i = U64(i + stride())
    gather(counts, 0, short)
    gather(counts, 1, over)
