"""Loop skeletons of blocks with float scales in the 32-bit lane; see ``cuda_loops.py``."""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import cuda


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


def float_members(four, top, level, whole, out, at, words, spare, g, c):
    """Four elements of a block of scale ``level`` and largest magnitude ``top``."""
    kept = kept_of(level)
    if moderate(level, whole, top, g):
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


def float_rows(x, out, scales, finite, second, given, k0, k1, first, spare, v, gl, cl, g, c):
    """Blocks of ``BLOCK`` float32 elements that fill memory, as in ``rows``; ``short_level`` and
    ``level_by_parts`` are those of the mode that rounds scales."""
    shared = cuda.shared.array(256, SHARED)
    me, span = W32(cuda.threadIdx.x), W32(SPAN)
    base, quarters = U64(U64(cuda.blockIdx.x) * U64(span)), U64(x.size // 4)
    whole = tensor_level(F64(bits_to_float(W32(finite[0]))), given, v)
    unit = v.element_max * whole
    per_unit = 1.0 / unit
    largest, single = F32(v.element_max), F32(whole)
    easy, high = moderate(largest, single, ZERO, gl), high_of(largest, single)
    low, inverse = low_of(largest, single, high), reciprocal_of(high)
    parts, far = (high, low, inverse, little_of(high, low, inverse)), reach_of(high)
    if cuda.grid(1) == 0:
        second[0] = whole
    while base < quarters:
        at = U64(U64(base + U64(me)) * U64(4))
        busy = me < span and at < U64(x.size)
        four = four_of(x, at if busy else U64(0))
        top = block_top(shared, me, top_of(four) if busy else ZERO, busy)
        if busy:
            level = (
                level_by_parts(top, *parts, gl)
                if easy and top <= far
                else short_level(top, unit, per_unit, gl)
            )
            if ENCODE and W32(me % PARTS) == W32(0):
                scales[U64(at // U64(BLOCK))] = code_bits(level, gl, cl)
            words = four_words(U64(first + at), k0, k1)
            float_members(four, top, bits_to_float(level), single, out, at, words, spare, g, c)
        base = U64(base + U64(U64(cuda.gridDim.x) * U64(span)))
