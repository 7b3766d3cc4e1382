"""Loop skeletons of draws, of blocks with scales of any kind, and of decoding; see
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
    mean, variance, out, totals, in_blocks, k0, k1, h0, h1, first, g, counts,
    n1, nb, n2, nc, t1, t2, m1, m2,
):  # fmt: skip
    """``variance`` has one element or as many as ``mean``; ``totals`` are the scales of blocks;
    ``counts`` gathers too much variance and beyond the range."""
    g, common = known(g), root(variance[0])
    short, over = U64(0), U64(0)
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        e = U64(first + U64(i))
        m, v, sigma = F64(mean[i]), variance[i] if variance.size > 1 else variance[0], common
        total = 1.0
        if in_blocks:
            total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)]
            m, v = unit_mean(m, total), unit_variance(v, total)
        if in_blocks or variance.size > 1:
            sigma = root(v)
        free, forced = draw(m, v, sigma, word_of(e, k0, k1), word_of(e, h0, h1), g)
        if not in_blocks:
            out[i] = free
            free = F64(out[i])
        short += U64(forced)
        over += U64(outside(free, g.smallest, g.largest))
        put_real(out, i, rescaled(bounded(free, g), total) if in_blocks else bounded(free, g))
    gather(counts, 0, short)
    gather(counts, 1, over)


def tops(x, variance, reaching, top, finite, n1, nb, n2, nc, t1, t2, m1, m2):
    """Largest magnitudes of blocks, of draws where ``reaching``, into zeroed memory."""
    most = U64(0)
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        seen = F64(x[i])
        if reaching:
            seen = reach(seen, root(variance[i] if variance.size > 1 else variance[0]))
        size = magnitude_of(seen)
        cuda.atomic.max(top, tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2), size)
        if size < INF_BITS:
            most = maximum(most, size)
    gather_top(finite, 0, most)


def levels(top, finite, totals, scales, second, v, power, is_power, g, general, c):
    """The scale of every block times that of the array (``second``), and its code."""
    whole = tensor_level(bits_to_real(finite[0]), v)
    for k in range(cuda.grid(1), top.size, cuda.gridsize(1)):
        if is_power:
            level = power_level(top[k], power)
        else:
            level = float_level(top[k], whole, v, g, general)
        totals[k] = level * whole
        if ENCODE:
            scales[k] = code_bits(real_to_bits(level), g, c)
        if k == 0:
            second[0] = whole


def scaled(x, out, totals, k0, k1, first, spare, g, general, c, n1, nb, n2, nc, t1, t2, m1, m2):
    """Every element in units of its scale, rounded or encoded."""
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)]
        rand = word_of(U64(first + U64(i)), k0, k1) if STOCHASTIC else ZERO
        bits = scaled_bits(F64(x[i]), total, rand, spare, g, general)
        if ENCODE:
            out[i] = code_bits(bits, g, c)
        else:
            put_real(out, i, rescaled(bits_to_real(bits), total))


def finite_top(x, finite):
    """The largest finite magnitude of float32 elements, into zeroed memory."""
    most = ZERO
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        size = U(float_to_bits(x[i]) & MAGNITUDE)
        most = maximum(most, where(size < INF_BITS, size, ZERO))
    gather_top(finite, 0, U64(most))


def float_rows(x, out, scales, finite, second, v, gl, cl, g, c, size):
    """Blocks of ``size`` float32 elements that fill memory, as in ``rows``; ``short_level`` is that
    of the mode that rounds scales."""
    shared = cuda.shared.array(256, SHARED)
    me, parts = cuda.threadIdx.x, size // 4
    span = cuda.blockDim.x // parts * parts  # threads at work
    whole = tensor_level(F64(bits_to_float(W32(finite[0]))), v)
    unit = v.element_max * whole
    per_unit = 1.0 / unit
    if cuda.grid(1) == 0:
        second[0] = whole
    for base in range(cuda.blockIdx.x * span, x.size // 4, cuda.gridDim.x * span):
        at = 4 * (base + me)
        busy = me < span and at < x.size
        top = ZERO
        if busy:
            for i in range(at, at + 4):
                top = maximum(top, U(float_to_bits(x[i]) & MAGNITUDE))
        top = block_top(shared, me, parts, top, busy)
        if busy:
            level = short_level(top, unit, per_unit, gl)
            if ENCODE and me % parts == 0:
                scales[at // size] = code_bits(level, gl, cl)
            total = F64(bits_to_float(level)) * whole
            divisor, kept = divisor_of(total), kept_of(total)
            inverse = 1.0 / divisor
            for i in range(at, at + 4):
                bits = short_bits(float_to_bits(x[i]), divisor, inverse, kept, g)
                if ENCODE:
                    out[i] = code_bits(bits, g, c)
                else:
                    put_real(out, i, rescaled(F64(bits_to_float(bits)), total))


def decoded(codes, out, d):
    for i in range(cuda.grid(1), codes.size, cuda.gridsize(1)):
        put_real(out, i, bits_to_real(value_bits(U(codes[i]), d)))


def block_decoded(codes, out, totals, second, d, n1, nb, n2, nc, t1, t2, m1, m2):
    """Values of element codes times their scales."""
    for i in range(cuda.grid(1), codes.size, cuda.gridsize(1)):
        total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)] * second
        put_real(out, i, bits_to_real(value_bits(U(codes[i]), d)) * total)


def rounded_single(x, rand, g, general):
    return bits_to_float(round_bits(float_to_bits(x), rand, ZERO, g, general, False))


def drawn_single(m, variance, sigma, w0, w1, g):
    """A draw, whether it has too much variance, and whether it was beyond the range."""
    drawn, forced = draw(F64(m), variance, sigma, w0, w1, g)
    free = F64(F32(drawn))
    over = outside(free, g.smallest, g.largest)
    return settled(F32(bounded(free, g))), U64(forced), U64(over)


def weighed(mean, rand, g, general, low, high):
    """The weight that is rounded from the accumulator, and what ``drawn_single`` says of it."""
    return rounded_single(mean, rand, g, general), U64(0), U64(outside(mean, low, high))


def step_words(
    e, g0, g1, n0, n1, w0, w1, h0, h1, rounds_gradient, noisy, rounds_weight, drawn
):  # fmt: skip
    """The random words of an element that these parts of a step need: of gradient, noise, weight,
    and the second of a draw."""
    wg = word_of(e, g0, g1) if rounds_gradient and STOCHASTIC else ZERO
    wn = word_of(e, n0, n1) if noisy else ZERO
    ww = word_of(e, w0, w1) if drawn or (rounds_weight and STOCHASTIC) else ZERO
    wo = word_of(e, h0, h1) if drawn else ZERO
    return wg, wn, ww, wo


def step_element(
    theta, grad, words, lr, decay, sigma, variance, spread, gg, gw, gd, general, low, high, flags
):
    """The accumulator, and the weight with its counts, after one step of one element."""
    rounds_gradient, decays, noisy, rounds_weight, _, drawn = flags
    wg, wn, ww, wo = words
    slope = rounded_single(grad, wg, gg, general) if rounds_gradient else grad
    mean = drift(theta, slope, lr, decay, decays)
    if noisy:
        mean = diffuse(mean, sigma, wn)
    if drawn:
        return mean, drawn_single(mean, variance, spread, ww, wo, gd)
    if rounds_weight:
        return mean, weighed(mean, ww, gw, general, low, high)
    return mean, (mean, U64(0), U64(0))


def langevin(
    theta, grad, stored, seen, lr, decay, sigma, variance, gg, gw, gd, general, low, high,
    g0, g1, n0, n1, w0, w1, h0, h1, first, counts, flags,
):  # fmt: skip
    """``flags`` in the order of ``task.STEP_FLAGS``; ``counts`` as in ``draws``."""
    rounds_gradient, _, noisy, rounds_weight, keeps, drawn = flags
    gd, spread = known(gd), root(variance)
    short, over = U64(0), U64(0)
    for i in range(cuda.grid(1), theta.size, cuda.gridsize(1)):
        e = U64(first + U64(i))
        parts = (rounds_gradient, noisy, rounds_weight, drawn)
        words = step_words(e, g0, g1, n0, n1, w0, w1, h0, h1, *parts)
        mean, (used, excess, cut) = step_element(
            theta[i], grad[i], words, lr, decay, sigma, variance, spread, gg, gw, gd, general, low,
            high, flags,
        )  # fmt: skip
        short += excess
        over += cut
        if keeps or not (rounds_weight or drawn):
            stored[i] = mean
        if rounds_weight or drawn:
            seen[i] = used
    gather(counts, 0, short)
    gather(counts, 1, over)
