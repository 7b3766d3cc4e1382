"""Loop skeletons of the Numba CUDA kernels: an index, a load, the core text, a store. No arithmetic
lives here.

The names in capitals and ``load``/``store`` are bound when a kernel is emitted; this module only
has to be readable. A turn of a stochastic kernel serves the elements of one counter. Indices are
unsigned: Python's may count from the end, which takes instructions.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import cuda


def here():
    """The first element of this thread."""
    return U64(cuda.grid(1))


def stride():
    """From an element of a thread to its next."""
    return U64(cuda.gridsize(1))


def pair_of(counter, k0, k1):
    return threefry(k0, k1, W32(counter & U64(0xFFFFFFFF)), W32(counter >> U64(32)))


def word_of(e, k0, k1):
    """The word of element ``e`` of the stream."""
    if WIDTH == 64:
        a, b = pair_of(U64(e), k0, k1)
        return U(U(U(a) << U(32)) | U(b))
    a, b = pair_of(U64(U64(e) >> U64(1)), k0, k1)
    return where(U64(U64(e) & U64(1)) == U64(1), U(b), U(a))


def turns(n, first):
    """How many turns serve ``n`` elements, those of one counter in a turn."""
    if WIDTH == 64:
        return n
    return U64(U64(U64(n + U64(first & U64(1))) + U64(1)) >> U64(1))


def place_of(j, first):
    """The first element of turn ``j``, before the array's first where only its second is of it."""
    return j if WIDTH == 64 else U64(U64(j + j) - U64(first & U64(1)))


def turn_words(j, first, k0, k1, wanted):
    """The words of both elements of turn ``j``."""
    if not wanted:
        return ZERO, ZERO
    if WIDTH == 64:
        word = word_of(U64(first + j), k0, k1)
        return word, word
    a, b = pair_of(U64(U64(first >> U64(1)) + j), k0, k1)
    return U(a), U(b)


def rounded(x, rand, spare, g, c):
    return store(round_bits(load(x), rand, spare, g, GENERAL, PLAIN_INF), g, c)


def quantize_drawn(x, out, k0, k1, first, spare, g, c):
    j, n = here(), U64(x.size)
    while j < turns(n, first):
        i = place_of(j, first)
        one, two = turn_words(j, first, k0, k1, True)
        if i < n:
            out[i] = rounded(x[i], one, spare, g, c)
        i = U64(i + U64(1))
        if WIDTH == 32 and i < n:
            out[i] = rounded(x[i], two, spare, g, c)
        j = U64(j + stride())


def quantize(x, out, k0, k1, first, spare, g, c):
    """Two elements under way in a turn, where nothing is drawn."""
    i, n, step = here(), U64(x.size), stride()
    if STOCHASTIC:
        quantize_drawn(x, out, k0, k1, first, spare, g, c)
        return
    while U64(i + step) < n:
        one, two = x[i], x[U64(i + step)]
        out[i] = rounded(one, ZERO, spare, g, c)
        out[U64(i + step)] = rounded(two, ZERO, spare, g, c)
        i = U64(i + U64(step + step))
    while i < n:
        out[i] = rounded(x[i], ZERO, spare, g, c)
        i = U64(i + step)


def wrap(x, out, k0, k1, first, spare, g, c, mask, sign, q):
    i = here()
    while i < U64(x.size):
        rand = word_of(U64(first + i), k0, k1) if STOCHASTIC else ZERO
        out[i] = store(wrap_bits(load(x[i]), rand, spare, g, mask, sign, q), g, c)
        i = U64(i + stride())


def member(x, rand, spare, g, amax, general, c):
    return store(block_bits(load(x), rand, spare, g, amax, general), g, c)


def block_top(shared, me, top, busy):
    """The largest of what the threads that share a block found; all threads of a group call."""
    cuda.syncthreads()
    shared[me] = top
    cuda.syncthreads()
    if busy:
        mine = W32(me - W32(me % PARTS))
        for i in range(BLOCK // 4):
            top = maximum(top, shared[W32(mine + W32(i))])
    return top


def four_words(e, k0, k1):
    """The words of elements ``e`` to ``e + 3``."""
    if not STOCHASTIC:
        return ZERO, ZERO, ZERO, ZERO
    if WIDTH == 64:
        after = word_of(U64(e + U64(2)), k0, k1), word_of(U64(e + U64(3)), k0, k1)
        return word_of(e, k0, k1), word_of(U64(e + U64(1)), k0, k1), after[0], after[1]
    counter = U64(e >> U64(1))
    a, b = pair_of(counter, k0, k1)
    c, d = pair_of(U64(counter + U64(1)), k0, k1)
    if U64(e & U64(1)) == U64(0):
        return U(a), U(b), U(c), U(d)
    f, _ = pair_of(U64(counter + U64(2)), k0, k1)
    return U(b), U(c), U(d), U(f)


def four_of(x, at):
    """Four elements from ``at`` on."""
    return x[at], x[U64(at + U64(1))], x[U64(at + U64(2))], x[U64(at + U64(3))]


def size_of(x):
    return U(load(x) & MAGNITUDE)


def top_of(four):
    """The largest magnitude of four elements."""
    top = maximum(size_of(four[0]), size_of(four[1]))
    return maximum(maximum(top, size_of(four[2])), size_of(four[3]))


def rows(x, out, scales, k0, k1, first, spare, g, c, b):
    """Blocks of ``BLOCK`` elements (a multiple of 4, up to 1024) that fill memory: a thread has
    four elements, and reads the partial maxima of its block from shared memory."""
    shared = cuda.shared.array(256, SHARED)
    me, span = W32(cuda.threadIdx.x), W32(SPAN)
    base, quarters = U64(U64(cuda.blockIdx.x) * U64(span)), U64(x.size // 4)
    while base < quarters:
        at = U64(U64(base + U64(me)) * U64(4))
        busy = me < span and at < U64(x.size)
        four = four_of(x, at if busy else U64(0))
        top = block_top(shared, me, top_of(four) if busy else ZERO, busy)
        if busy:
            k = scale_exponent(top, b)
            moved = scaled_grid(g, k)
            wide = GENERAL or needs_general(g, k)
            if ENCODE and W32(me % PARTS) == W32(0):
                scales[U64(at // U64(BLOCK))] = scale_code(k, top, b)
            words = four_words(U64(first + at), k0, k1)
            out[at] = member(four[0], words[0], spare, moved, top, wide, c)
            out[U64(at + U64(1))] = member(four[1], words[1], spare, moved, top, wide, c)
            out[U64(at + U64(2))] = member(four[2], words[2], spare, moved, top, wide, c)
            out[U64(at + U64(3))] = member(four[3], words[3], spare, moved, top, wide, c)
        base = U64(base + U64(U64(cuda.gridDim.x) * U64(span)))


def tile_of(e, n1, nb, n2, nc, t1, t2, m1, m2):
    """The index of the tile of element ``e`` of an array (a, n1, nb, n2, nc)."""
    if n1 * nb * nc == U64(1) and n2 % t2 == U64(0):
        return U64(e // t2)
    ic, i2 = U64(e % nc), U64(U64(e // nc) % n2)
    ib, i1 = U64(U64(e // U64(nc * n2)) % nb), U64(U64(e // U64(nc * n2 * nb)) % n1)
    above = U64(U64(U64(e // U64(nc * n2 * nb * n1)) * m1) + U64(i1 // t1))
    return U64(U64(U64(U64(U64(above * nb) + ib) * m2 + U64(i2 // t2)) * nc) + ic)


def opens(e, n1, nb, n2, nc, t1, t2):
    """Whether element ``e`` is the first of its tile."""
    row, column = U64(U64(e // U64(nc * n2 * nb)) % n1), U64(U64(e // nc) % n2)
    return U64(column % t2) == U64(0) and U64(row % t1) == U64(0)


def maxima(x, amax, n1, nb, n2, nc, t1, t2, m1, m2):
    """First pass over any blocks: the largest magnitude of each, into zeroed memory."""
    i = here()
    while i < U64(x.size):
        tile = tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)
        cuda.atomic.max(amax, tile, U(load(x[i]) & MAGNITUDE))
        i = U64(i + stride())


def tiles(x, out, scales, amax, k0, k1, first, spare, g, c, b, n1, nb, n2, nc, t1, t2, m1, m2):
    """Second pass: every element on the grid of its block."""
    i = here()
    while i < U64(x.size):
        tile = tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)
        top = amax[tile]
        k = scale_exponent(top, b)
        rand = word_of(U64(first + i), k0, k1) if STOCHASTIC else ZERO
        wide = GENERAL or needs_general(g, k)
        out[i] = member(x[i], rand, spare, scaled_grid(g, k), top, wide, c)
        if ENCODE and opens(i, n1, nb, n2, nc, t1, t2):
            scales[tile] = scale_code(k, top, b)
        i = U64(i + stride())


def words(out, k0, k1, first):
    j, n = here(), U64(out.size)
    while j < turns(n, first):
        i = place_of(j, first)
        one, two = turn_words(j, first, k0, k1, True)
        if i < n:
            out[i] = one
        i = U64(i + U64(1))
        if WIDTH == 32 and i < n:
            out[i] = two
        j = U64(j + stride())


def normals(out, k0, k1, first):
    j, n = here(), U64(out.size)
    while j < turns(n, first):
        i = place_of(j, first)
        one, two = turn_words(j, first, k0, k1, True)
        if i < n:
            out[i] = deviate(one)
        i = U64(i + U64(1))
        if i < n:
            out[i] = deviate(two)
        j = U64(j + stride())


def long_normals(out, k0, k1, first):
    i = here()
    while i < U64(out.size):
        out[i] = normal(word_of(U64(first + i), k0, k1))
        i = U64(i + stride())


def clear(out):
    i = here()
    while i < U64(out.size):
        out[i] = 0
        i = U64(i + stride())
