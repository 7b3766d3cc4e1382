"""Loop skeletons of draws, of blocks with scales of any kind, and of decoding; see
``cuda_loops.py``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import cuda


def draws(
    mean, variance, out, totals, in_blocks, k0, k1, h0, h1, first, g, counts,
    n1, nb, n2, nc, t1, t2, m1, m2,
):  # fmt: skip
    """``variance`` has one element or as many as ``mean``; ``totals`` are the scales of blocks;
    ``counts`` gathers too much variance and beyond the range."""
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        e = U64(first + U64(i))
        m, v = F64(mean[i]), variance[i] if variance.size > 1 else variance[0]
        total = 1.0
        if in_blocks:
            total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)]
            m, v = unit_mean(m, total), unit_variance(v, total)
        free = draw(m, v, word_of(e, k0, k1), word_of(e, h0, h1), g)
        bounded = limit(free, g)
        out[i] = rescaled(bounded, total) if in_blocks else bounded
        if missing(m, v, g) > 0.0:
            cuda.atomic.add(counts, 0, U64(1))
        if bounded != free:
            cuda.atomic.add(counts, 1, U64(1))


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
    if most > U64(0):
        cuda.atomic.max(finite, 0, most)


def levels(top, finite, totals, scales, second, v, power, is_power, g, general, c):
    """The scale of every block times that of the array (``second``), and its code."""
    whole = tensor_level(finite[0], v)
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
        out[i] = code_bits(bits, g, c) if ENCODE else rescaled(bits_to_real(bits), total)


def decoded(codes, out, d):
    for i in range(cuda.grid(1), codes.size, cuda.gridsize(1)):
        out[i] = bits_to_real(value_bits(U(codes[i]), d))


def block_decoded(codes, out, totals, second, d, n1, nb, n2, nc, t1, t2, m1, m2):
    """Values of element codes times their scales."""
    for i in range(cuda.grid(1), codes.size, cuda.gridsize(1)):
        total = totals[tile_of(i, n1, nb, n2, nc, t1, t2, m1, m2)] * second
        out[i] = bits_to_real(value_bits(U(codes[i]), d)) * total
