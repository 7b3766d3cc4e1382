"""Loop skeletons of accumulations in Numba CUDA, one result a thread; see ``cuda_dot_loops.py``.

``i`` is the first element of a row of ``a``, ``j`` of a column of ``b``.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

import numpy as np
from numba import cuda


def word(random, keys, event, at):
    return word_of(at, keys[2 * event], keys[2 * event + 1]) if random else ZERO


def product_at(a, b, i, j, keys, event, at, g):
    p = product(F64(a[i]), F64(b[j]))
    if PRODUCT:
        rand = word(PRODUCT_RANDOM, keys, event, at)
        p = bits_to_real(round_product(real_to_bits(p), rand, g))
    return p


def add_inner(x, y, keys, event, at, g):
    rand = word(INNER_RANDOM, keys, event, at)
    return bits_to_real(round_inner(add_odd(x, y), rand, g))


def part_of(a, b, i, j, n, length, width, total, keys, event, at, gp, gi):
    """Add products one after another to ``total``; also the next event."""
    for k in range(length):
        p = product_at(a, b, i + k, j + k * n, keys, event, at, gp)
        event += PRODUCT
        total = add_inner(total, p, keys, event, at, gi)
        event += 1
    return total, event


def tree_of(a, b, i, j, n, length, width, total, keys, event, at, gp, gi):
    """Add ``width`` products (zeros beyond the last) as a binary tree."""
    nodes, leaf = cuda.local.array(LEVELS, np.float64), 0.0
    for k in range(width):
        leaf = 0.0
        if k < length:
            leaf = product_at(a, b, i + k, j + k * n, keys, event, at, gp)
            event += PRODUCT
        level = 0
        while (k >> level) & 1:
            leaf = add_inner(leaf, nodes[level], keys, event, at, gi)
            event += 1
            level += 1
        nodes[level] = leaf
    return leaf, event


def chain(a, b, i, j, n, count, chunk, total, keys, at, gp, gi, go):
    if chunk == 0:
        return part_of(a, b, i, j, n, count, 0, total, keys, 0, at, gp, gi)[0]
    event = 0
    for k in range(0, count, chunk):
        length = min(chunk, count - k)
        part, event = sum_chunk(
            a, b, i + k, j + k * n, n, length, chunk, 0.0, keys, event, at, gp, gi
        )  # fmt: skip
        rand = word(OUTER_RANDOM, keys, event, at)
        total = bits_to_real(round_outer(add_odd(total, part), rand, go))
        event += 1
    return total


def chains(a, b, a_at, b_at, out, keys, first, chunk, m, n, count, gp, gi, go):
    for e in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        x, at = e // (m * n), U64(first + U64(e))
        i, j = (a_at[x] * m + e // n % m) * count, b_at[x] * count * n + e % n
        total = chain(a, b, i, j, n, count, chunk, F64(out[e]), keys, at, gp, gi, go)
        store(out, e, plain_nan(real_to_bits(total)))


def fma_chain(a, b, i, j, n, count, c, g):
    for k in range(count):
        c = fused(a[i + k], b[j + k * n], c)
    return F64(c)


def exact_group(a, b, i, j, n, count, c, g):
    """``c`` plus ``count`` products, exactly, rounded once, as ``plain_loops.exact_group``."""
    parts, special = cuda.local.array(COMPONENTS, np.float64), c if c - c != 0.0 else 0.0
    parts[0] = c
    for k in range(count):
        x = product(a[i + k], b[j + k * n])
        special += x if x - x != 0.0 else 0.0
        for q in range(k + 1):
            t = x + parts[q]
            parts[q] = sum_error(x, parts[q], t)
            x = t
        parts[k + 1] = x
    for q in range(1, count + 1):
        parts[q] = bits_to_real(add_odd(parts[q], parts[q - 1]))
    rounded = bits_to_real(round_inner(real_to_bits(parts[count]), ZERO, g))
    return rounded if special == 0.0 else special


def exact_chain(a, b, i, j, n, count, c, g):
    total = F64(c)
    for k in range(0, count, LENGTH):
        length = min(LENGTH, count - k)
        total = exact_group(a, b, i + k, j + k * n, n, length, total, g)
    return total


def flushed_product(x, y):
    return flushed(single_product(x, y), LOW)


def flushed_sum(x, y):
    return flushed(F32(x + y), LOW)


def flushed_chain(a, b, i, j, n, count, c, g):
    for k in range(0, count, LENGTH):
        q, r = i + k, j + k * n
        total = flushed_sum(flushed_product(a[q], b[r]), flushed_product(a[q + 1], b[r + n]))
        if LENGTH == 4:
            third = flushed_product(a[q + 2], b[r + 2 * n])
            fourth = flushed_product(a[q + 3], b[r + 3 * n])
            total = flushed_sum(total, flushed_sum(third, fourth))
        c = flushed_sum(c, total)
    return F64(c)


def step(x, y, c):
    """A fused multiply-add without subnormals."""
    return flushed(fused(x, y, c), LOW)


def vdpbf16ps_chain(a, b, i, j, n, count, c, g):
    for k in range(0, count, 2):
        q, r = i + k, j + k * n
        c = step(a[q], b[r], step(a[q + 1], b[r + n], c))
    return F64(c)


def tdpbf16ps_chain(a, b, i, j, n, count, c, g):
    for k in range(0, count, LENGTH):
        even, odd = F32(0.0), F32(0.0)
        for q in range(k, min(k + LENGTH, count), 2):
            even = step(a[i + q], b[j + q * n], even)
            odd = step(a[i + q + 1], b[j + (q + 1) * n], odd)
        c = flushed_sum(c, flushed_sum(even, odd))
    return F64(c)


def odd_single(bits, g):
    """A float64 pattern rounded to odd in float32, without subnormals."""
    x = flushed(bits_to_real(bits), F64(LOW))
    return bits_to_real(round_inner(real_to_bits(x), ZERO, g))


def bfdot_chain(a, b, i, j, n, count, c, g):
    total = F64(c)
    for k in range(0, count, 2):
        q, r = i + k, j + k * n
        low = odd_single(real_to_bits(product(F64(a[q]), F64(b[r]))), g)
        high = odd_single(real_to_bits(product(F64(a[q + 1]), F64(b[r + n]))), g)
        total = odd_single(add_odd(total, odd_single(add_odd(low, high), g)), g)
    return total


def plain(a, b, a_at, b_at, out, m, n, count, g):
    for e in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        x = e // (m * n)
        i, j = (a_at[x] * m + e // n % m) * count, b_at[x] * count * n + e % n
        store(out, e, plain_nan(real_to_bits(each(a, b, i, j, n, count, out[e], g))))


def integers(a, b, a_at, b_at, out, low, high, m, n, count):
    for e in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        x, total = e // (m * n), A(out[e])
        i, j = (a_at[x] * m + e // n % m) * count, b_at[x] * count * n + e % n
        for k in range(count):
            total = A(total + A(A(a[i + k]) * A(b[j + k * n])))
            if CLAMP and (k + 1) % LENGTH == 0:
                total = A(min(max(I64(total), low), high))
        out[e] = total
