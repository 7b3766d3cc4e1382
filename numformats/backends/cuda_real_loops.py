"""Loop skeletons of draws, of blocks with scales of any kind over reals, and of decoding; see
``cuda_loops.py``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import cuda


def put_real(out, i, x):
    """NaN is the quiet one, whatever conversions of the device make of it."""
    if x == x:
        out[i] = x
    else:
        out[i] = bits_to_real(U64(0x7FF8000000000000))


def gather(counts, at, found):
    """What the threads of a block counted, into one place; all of them call."""
    shared = cuda.shared.array(1, np.uint64)
    if cuda.threadIdx.x == 0:
        shared[0] = U64(0)
    cuda.syncthreads()
    if found > U64(0):
        cuda.atomic.add(shared, 0, found)
    cuda.syncthreads()
    if cuda.threadIdx.x == 0 and shared[0] > U64(0):
        cuda.atomic.add(counts, at, shared[0])
    cuda.syncthreads()


def gather_top(tops, at, found):
    """The largest that the threads of a block found; an old value is a bound that spares
    atomics."""
    shared = cuda.shared.array(1, np.uint64)
    if cuda.threadIdx.x == 0:
        shared[0] = U64(0)
    cuda.syncthreads()
    if found > shared[0]:
        cuda.atomic.max(shared, 0, found)
    cuda.syncthreads()
    if cuda.threadIdx.x == 0 and shared[0] > tops[at]:
        cuda.atomic.max(tops, at, shared[0])
    cuda.syncthreads()


def bounded(free, g):
    """A draw, as its carrier holds it, within the range."""
    return limit(free, g.smallest, g.largest, not_a_number())


def draws(
    mean, variance, out, totals, k0, k1, h0, h1, first, g, counts,
    n1, nb, n2, nc, t1, t2, m1, m2,
):  # fmt: skip
    """``variance`` has one element or as many as ``mean``; ``totals`` are the scales of blocks;
    ``counts`` gathers too much variance and beyond the range."""
    in_blocks, each = FLAGS
    g, common = known(g), root(variance[0])
    short, over = U64(0), U64(0)
    i = here()
    while i < U64(out.size):
        e = U64(first + i)
        m, v, sigma = F64(mean[i]), variance[i] if each else variance[0], common
        total = 1.0
        if in_blocks:
            total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)]
            m, v = unit_mean(m, total), unit_variance(v, total)
        if in_blocks or each:
            sigma = root(v)
        free, forced = draw(m, v, sigma, word_of(e, k0, k1), word_of(e, h0, h1), g)
        if not in_blocks:
            out[i] = free
            free = F64(out[i])
        short += U64(forced)
        over += U64(outside(free, g.smallest, g.largest))
        put_real(out, i, rescaled(bounded(free, g), total) if in_blocks else bounded(free, g))
        i = U64(i + stride())
    gather(counts, 0, short)
    gather(counts, 1, over)


def tops(x, variance, top, finite, n1, nb, n2, nc, t1, t2, m1, m2):
    """Largest magnitudes of blocks, of draws where that is the flag, into zeroed memory."""
    (reaching,) = FLAGS
    most = U64(0)
    i = here()
    while i < U64(x.size):
        seen = F64(x[i])
        if reaching:
            seen = reach(seen, root(variance[i] if variance.size > 1 else variance[0]))
        size = magnitude_of(seen)
        cuda.atomic.max(top, tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2), size)
        if size < INF_BITS:
            most = maximum(most, size)
        i = U64(i + stride())
    gather_top(finite, 0, most)


def levels(top, finite, totals, scales, second, given, v, power, is_power, g, general, c):
    """The scale of every block times that of the array (``second``), and its code."""
    whole = tensor_level(bits_to_real(finite[0]), given, v)
    k = here()
    while k < U64(top.size):
        if is_power:
            level = power_level(top[k], power)
        else:
            level = float_level(top[k], whole, v, g, general)
        totals[k] = level * whole
        if ENCODE:
            scales[k] = code_bits(real_to_bits(level), g, c)
        if k == 0:
            second[0] = whole
        k = U64(k + stride())


def scaled(x, out, totals, k0, k1, first, spare, g, general, c, n1, nb, n2, nc, t1, t2, m1, m2):
    """Every element in units of its scale, rounded or encoded."""
    i = here()
    while i < U64(x.size):
        total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)]
        rand = word_of(U64(first + i), k0, k1) if STOCHASTIC else ZERO
        bits = scaled_bits(F64(x[i]), total, rand, spare, g, general)
        if ENCODE:
            out[i] = code_bits(bits, g, c)
        else:
            put_real(out, i, rescaled(unit_value(bits), total))
        i = U64(i + stride())


def decoded(codes, out, d):
    i = here()
    while i < U64(codes.size):
        put_real(out, i, bits_to_real(value_bits(U(codes[i]), d)))
        i = U64(i + stride())


def block_decoded(codes, out, totals, second, d, n1, nb, n2, nc, t1, t2, m1, m2):
    """Values of element codes times their scales."""
    i = here()
    while i < U64(codes.size):
        total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)] * second
        put_real(out, i, bits_to_real(value_bits(U(codes[i]), d)) * total)
        i = U64(i + stride())
