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


def levels(top, finite, totals, scales, second, v, power, is_power, g, general, c):
    """The scale of every block times that of the array (``second``), and its code."""
    whole = tensor_level(bits_to_real(finite[0]), v)
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


def finite_size(x):
    size = size_of(x)
    return where(size < INF_BITS, size, ZERO)


def finite_top(x, finite):
    """The largest finite magnitude of float32 elements, into zeroed memory."""
    i, n, step, most = here(), U64(x.size), stride(), ZERO
    two, three = U64(U64(2) * step), U64(U64(3) * step)
    while U64(i + three) < n:
        a, b = finite_size(x[i]), finite_size(x[U64(i + step)])
        c, d = finite_size(x[U64(i + two)]), finite_size(x[U64(i + three)])
        most = maximum(most, maximum(maximum(a, b), maximum(c, d)))
        i = U64(i + U64(U64(4) * step))
    while i < n:
        most = maximum(most, finite_size(x[i]))
        i = U64(i + step)
    gather_top(finite, 0, U64(most))


def float_member(x, total, divisor, inverse, kept, out, i, rand, spare, g, c):
    bits = short_bits(load(x), divisor, inverse, kept, rand, spare, g)
    if ENCODE:
        out[i] = code_bits(bits, g, c)
    else:
        put_real(out, i, rescaled(F64(bits_to_float(bits)), total))


def moderate_member(x, high, low, inverse, little, kept, out, i, rand, spare, g, c):
    bits = bits_by_parts(load(x), high, low, inverse, little, kept, rand, spare, g)
    if ENCODE:
        out[i] = code_bits(bits, g, c)
    else:
        out[i] = bits_to_float(value_by_parts(bits, high, low))


def float_members(four, level, whole, out, at, words, spare, g, c):
    """Four elements of a block of scale ``level``."""
    kept = kept_of(level)
    if moderate(level, whole, g):
        high = high_of(level, whole)
        low, inverse = low_of(level, whole, high), reciprocal_of(high)
        parts = high, low, inverse, little_of(high, low, inverse), kept
        moderate_member(four[0], *parts, out, at, words[0], spare, g, c)
        moderate_member(four[1], *parts, out, U64(at + U64(1)), words[1], spare, g, c)
        moderate_member(four[2], *parts, out, U64(at + U64(2)), words[2], spare, g, c)
        moderate_member(four[3], *parts, out, U64(at + U64(3)), words[3], spare, g, c)
        return
    total = F64(level) * F64(whole)
    divisor = divisor_of(total)
    unit_of = total, divisor, 1.0 / divisor, kept
    float_member(four[0], *unit_of, out, at, words[0], spare, g, c)
    float_member(four[1], *unit_of, out, U64(at + U64(1)), words[1], spare, g, c)
    float_member(four[2], *unit_of, out, U64(at + U64(2)), words[2], spare, g, c)
    float_member(four[3], *unit_of, out, U64(at + U64(3)), words[3], spare, g, c)


def float_rows(x, out, scales, finite, second, k0, k1, first, spare, v, gl, cl, g, c):
    """Blocks of ``BLOCK`` float32 elements that fill memory, as in ``rows``; ``short_level`` and
    ``level_by_parts`` are those of the mode that rounds scales."""
    shared = cuda.shared.array(256, SHARED)
    me, span = W32(cuda.threadIdx.x), W32(SPAN)
    base, quarters = U64(U64(cuda.blockIdx.x) * U64(span)), U64(x.size // 4)
    whole = tensor_level(F64(bits_to_float(W32(finite[0]))), v)
    unit = v.element_max * whole
    per_unit = 1.0 / unit
    largest, single = F32(v.element_max), F32(whole)
    easy, high = moderate(largest, single, gl), high_of(largest, single)
    low, inverse = low_of(largest, single, high), reciprocal_of(high)
    parts = high, low, inverse, little_of(high, low, inverse)
    if cuda.grid(1) == 0:
        second[0] = whole
    while base < quarters:
        at = U64(U64(base + U64(me)) * U64(4))
        busy = me < span and at < U64(x.size)
        four = four_of(x, at if busy else U64(0))
        top = block_top(shared, me, top_of(four) if busy else ZERO, busy)
        if busy:
            level = (
                level_by_parts(top, *parts, gl) if easy else short_level(top, unit, per_unit, gl)
            )
            if ENCODE and W32(me % PARTS) == W32(0):
                scales[U64(at // U64(BLOCK))] = code_bits(level, gl, cl)
            words = four_words(U64(first + at), k0, k1)
            float_members(four, bits_to_float(level), single, out, at, words, spare, g, c)
        base = U64(base + U64(U64(cuda.gridDim.x) * U64(span)))


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


def step_words(j, first, g0, g1, n0, n1, w0, w1, h0, h1):
    """The random words of both elements of a turn that a step needs: of gradient, noise, weight,
    and the second of a draw."""
    rounds_gradient, noisy, rounds_weight, drawn = FLAGS[0], FLAGS[2], FLAGS[3], FLAGS[5]
    g, also_g = turn_words(j, first, g0, g1, rounds_gradient and STOCHASTIC)
    n, also_n = turn_words(j, first, n0, n1, noisy)
    w, also_w = turn_words(j, first, w0, w1, drawn or (rounds_weight and STOCHASTIC))
    o, also_o = turn_words(j, first, h0, h1, drawn)
    return (g, n, w, o), (also_g, also_n, also_w, also_o)


def step_element(
    theta, grad, words, lr, decay, sigma, variance, spread, gg, gw, gd, general, low, high
):
    """The accumulator, and the weight with its counts, after one step of one element."""
    rounds_gradient, decays, noisy, rounds_weight, _, drawn = FLAGS
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


def step_at(
    i, words, theta, grad, stored, seen, lr, decay, sigma, variance, spread, gg, gw, gd, general,
    low, high,
):  # fmt: skip
    """One step of element ``i``; its counts."""
    _, _, _, rounds_weight, keeps, drawn = FLAGS
    mean, (used, excess, cut) = step_element(
        theta[i], grad[i], words, lr, decay, sigma, variance, spread, gg, gw, gd, general, low, high
    )
    if keeps or not (rounds_weight or drawn):
        stored[i] = mean
    if rounds_weight or drawn:
        seen[i] = used
    return excess, cut


def langevin(
    theta, grad, stored, seen, lr, decay, sigma, variance, gg, gw, gd, general, low, high,
    g0, g1, n0, n1, w0, w1, h0, h1, first, counts,
):  # fmt: skip
    """Flags in the order of ``task.STEP_FLAGS``; ``counts`` as in ``draws``."""
    j, n, short, over = here(), U64(theta.size), U64(0), U64(0)
    arrays, scalars = (theta, grad, stored, seen), (lr, decay, sigma, variance, root(variance))
    rule = (*scalars, gg, gw, known(gd), general, low, high)
    while j < turns(n, first):
        one, two = step_words(j, first, g0, g1, n0, n1, w0, w1, h0, h1)
        i = place_of(j, first)
        if i < n:
            excess, cut = step_at(i, one, *arrays, *rule)
            short, over = short + excess, over + cut
        i = U64(i + U64(1))
        if i < n:
            excess, cut = step_at(i, two, *arrays, *rule)
            short, over = short + excess, over + cut
        j = U64(j + stride())
    gather(counts, 0, short)
    gather(counts, 1, over)
