"""Loop skeletons of the Numba CUDA kernels: an index, a load, the core text, a store. No arithmetic
lives here.

The names in capitals and ``load``/``store`` are bound when a kernel is emitted; this module only
has to be readable. A thread of a stochastic kernel serves the elements of one counter.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import cuda


def pair_of(counter, k0, k1):
    return threefry(k0, k1, W32(counter & U64(0xFFFFFFFF)), W32(counter >> U64(32)))


def word_of(e, k0, k1):
    """The word of element ``e`` of the stream."""
    if WIDTH == 64:
        a, b = pair_of(U64(e), k0, k1)
        return U(U(U(a) << U(32)) | U(b))
    a, b = pair_of(U64(U64(e) >> U64(1)), k0, k1)
    return where(U64(U64(e) & U64(1)) == U64(1), U(b), U(a))


def rounded(x, rand, spare, g, c):
    return store(round_bits(load(x), rand, spare, g, GENERAL, PLAIN_INF), g, c)


def quantize(x, out, k0, k1, first, spare, g, c):
    n, step = x.size, cuda.gridsize(1)
    if not STOCHASTIC:
        for i in range(cuda.grid(1), n, step):
            out[i] = rounded(x[i], ZERO, spare, g, c)
        return
    odd = I64(first & U64(1)) if WIDTH == 32 else 0
    per = 2 if WIDTH == 32 else 1
    for j in range(cuda.grid(1), (n + odd + per - 1) // per, step):
        for i in range(per * j - odd, per * j - odd + per):
            if 0 <= i < n:
                rand = word_of(U64(first + U64(i)), k0, k1)
                out[i] = rounded(x[i], rand, spare, g, c)


def wrap(x, out, k0, k1, first, spare, g, c, mask, sign, q):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        rand = word_of(U64(first + U64(i)), k0, k1) if STOCHASTIC else ZERO
        out[i] = store(wrap_bits(load(x[i]), rand, spare, g, mask, sign, q), g, c)


def member(x, rand, spare, g, amax, general, c):
    return store(block_bits(load(x), rand, spare, g, amax, general), g, c)


def block_top(shared, me, parts, top, busy):
    """The largest of what ``parts`` threads that share a block found; all threads call."""
    cuda.syncthreads()
    shared[me] = top
    cuda.syncthreads()
    if busy:
        for i in range(me // parts * parts, (me // parts + 1) * parts):
            top = maximum(top, shared[i])
    return top


def rows(x, out, scales, k0, k1, first, spare, g, general, c, b, size):
    """Blocks of ``size`` (a multiple of 4, up to 1024) that fill memory: a thread has four
    elements, and reads the partial maxima of its block from shared memory."""
    shared = cuda.shared.array(256, SHARED)
    me, parts = cuda.threadIdx.x, size // 4
    span = cuda.blockDim.x // parts * parts  # threads at work
    for base in range(cuda.blockIdx.x * span, x.size // 4, cuda.gridDim.x * span):
        at = 4 * (base + me)
        busy = me < span and at < x.size
        top = ZERO
        if busy:
            for i in range(at, at + 4):
                top = maximum(top, U(load(x[i]) & MAGNITUDE))
        top = block_top(shared, me, parts, top, busy)
        if busy:
            k = scale_exponent(top, b)
            moved = scaled_grid(g, k)
            wide = general or needs_general(g, k)
            if ENCODE and me % parts == 0:
                scales[at // size] = scale_code(k, top, b)
            for i in range(at, at + 4):
                rand = word_of(U64(first + U64(i)), k0, k1) if STOCHASTIC else ZERO
                out[i] = member(x[i], rand, spare, moved, top, wide, c)


def tile_of(e, n1, nb, n2, nc, t1, t2, m1, m2):
    """The index of the tile of element ``e`` of an array (a, n1, nb, n2, nc)."""
    if n1 * nb * nc == 1 and n2 % t2 == 0:
        return e // t2
    ic, i2 = e % nc, e // nc % n2
    ib, i1 = e // (nc * n2) % nb, e // (nc * n2 * nb) % n1
    return (((e // (nc * n2 * nb * n1) * m1 + i1 // t1) * nb + ib) * m2 + i2 // t2) * nc + ic


def maxima(x, amax, n1, nb, n2, nc, t1, t2, m1, m2):
    """First pass over any blocks: the largest magnitude of each, into zeroed memory."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        tile = tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)
        cuda.atomic.max(amax, tile, U(load(x[i]) & MAGNITUDE))


def tiles(
    x, out, scales, amax, k0, k1, first, spare, g, general, c, b, n1, nb, n2, nc, t1, t2, m1, m2
):
    """Second pass: every element on the grid of its block."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        tile = tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)
        top = amax[tile]
        k = scale_exponent(top, b)
        rand = word_of(U64(first + U64(i)), k0, k1) if STOCHASTIC else ZERO
        wide = general or needs_general(g, k)
        out[i] = member(x[i], rand, spare, scaled_grid(g, k), top, wide, c)
        if ENCODE and i // nc % n2 % t2 == 0 and i // (nc * n2 * nb) % n1 % t1 == 0:
            scales[tile] = scale_code(k, top, b)


def words(out, k0, k1, first):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = word_of(U64(first + U64(i)), k0, k1)


def normals(out, k0, k1, first):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = deviate(word_of(U64(first + U64(i)), k0, k1))


def long_normals(out, k0, k1, first):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = normal(word_of(U64(first + U64(i)), k0, k1))


def clear(out):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = 0
