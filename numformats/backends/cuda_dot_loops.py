"""Loop skeletons of fused dot products in Numba CUDA, one result a thread; see ``cuda_loops.py``.

Arrays are flat; ``at`` is the first element of a group in a row of ``a``, ``start`` in a column of
``b``, whose elements are ``n`` apart.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import cuda


def joined_kinds(x, out, group, inner):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        first, seen = i // inner * group * inner + i % inner, W32(0)
        for k in range(group):
            seen = W32(seen | W32(x[first + k * inner]))
        out[i] = seen


def nonzero_masks(x, out, group, inner):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        first, mask = i // inner * group * inner + i % inner, U64(0)
        for k in range(group):
            mask = U64(mask | U64(U64(x[first + k * inner] != 0) << U64(k)))
        out[i] = mask


def store(out, i, bits):
    """Write the number of a float64 pattern."""
    out[i] = bits_to_float(single_bits(bits)) if SINGLE else bits_to_real(bits)


def sum_part(sa, ea, sb, eb, at, start, n, length, run, top, s):
    """The exact sum of the aligned terms of a part, and the exponent that they share."""
    for k in range(length):
        top = maximum(top, I(I(ea[at + k]) + I(eb[start + k * n])))
    low, total = T(T(top) + T(s.align)), I(0)
    for k in range(0, length, run):
        part = T(0)
        for q in range(k, min(k + run, length)):
            i, j = at + q, start + q * n
            part = T(part + term(T(sa[i]), T(sb[j]), T(low - T(ea[i])), T(eb[j])))
        total = I(total + I(part))
    return total, top


def join_flags(sa, ea, ka, sb, eb, kb, at, start, n, group, s):
    flags = ZERO
    for k in range(group):
        i, j = at + k, start + k * n
        over = OVERFLOW and over_range(I(sa[i]), I(ea[i]), I(sb[j]), I(eb[j]), s)
        flags = U(flags | product_flags(U(ka[i]), U(kb[j]), over))
    return flags


def group_step(sa, ea, ka, sb, eb, kb, at, start, n, kinds, given, bits, s, g, group, run):
    """The pattern ``bits`` of c after one more group."""
    half, begin = group // PARTS, first(bits, W32(kinds & W32(4)) > W32(0), given, s)
    total, top = sum_part(sa, ea, sb, eb, at, start, n, half, run, begin, s)
    odd, odd_top = total, top
    if PARTS == 2:
        i, j = at + half, start + half * n
        odd, odd_top = sum_part(sa, ea, sb, eb, i, j, n, half, run, begin, s)
    flags = ZERO
    if OVERFLOW or W32(kinds & W32(3)) > W32(0):
        flags = join_flags(sa, ea, ka, sb, eb, kb, at, start, n, group, s)
    return special_sum(flags, finish(total, top, odd, odd_top, bits, s, g), bits)


def dots(
    sa, ea, ka, ja, sb, eb, kb, jb, a_at, b_at, out, m, n, count, s, g, group, run
):  # fmt: skip
    groups = count // group
    for e in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        x, column = e // (m * n), e % n
        row, y = a_at[x] * m + e // n % m, b_at[x]
        bits = real_to_bits(F64(out[e]))
        for q in range(groups):
            kinds = W32(W32(ja[row * groups + q]) | W32(jb[(y * groups + q) * n + column]))
            at, start = row * count + q * group, (y * count + q * group) * n + column
            bits = group_step(
                sa, ea, ka, sb, eb, kb, at, start, n, kinds, q == 0, bits, s, g, group, run
            )  # fmt: skip
        store(out, e, bits)


def scale_of(sa, sb, i, j):
    return I(I(sa[i]) * I(sb[j]))


def exponent_of(sa, ea, na, sb, eb, nb, i, j, s):
    e = I(I(ea[i]) + I(eb[j]))
    return group_exponent(e, scale_of(sa, sb, i, j), U(na[i] & nb[j]), s)


def group_sum(a, b, at, start, n, group):
    part = 0
    for k in range(group):
        part += I(a[at + k]) * I(b[start + k * n])
    return I(part)


def scaled_step(
    a, sa, ea, ka, na, b, sb, eb, kb, nb, i, j, at, start, n, given, bits, s, g, group, blocks
):
    """The pattern ``bits`` of c after ``blocks`` groups, whose scales start at ``i`` and ``j``."""
    zero, flags, top = False, ZERO, exponent_of(sa, ea, na, sb, eb, nb, i, j, s)
    for q in range(blocks):
        x, y = i + q, j + q * n
        zero = zero or group_is_zero(scale_of(sa, sb, x, y), U(na[x] & nb[y]))
        flags = U(flags | U((ka[x] | kb[y]) & 1))
        top = maximum(top, exponent_of(sa, ea, na, sb, eb, nb, x, y, s))
    top, total = maximum(first_truncated(bits, zero, given, s), top), I(0)
    for q in range(blocks):
        x, y = i + q, j + q * n
        part = group_sum(a, b, at + q * group, start + q * group * n, n, group)
        e = exponent_of(sa, ea, na, sb, eb, nb, x, y, s)
        term = group_term(part, scale_of(sa, sb, x, y), s)
        total = I(total + aligned(term, I(top - e)))
    return special_sum(flags, finish_truncated(total, top, total, top, bits, s, g), bits)


def scaled_dots(
    a, b, sa, ea, ka, na, sb, eb, kb, nb, a_at, b_at, out, m, n, count, s, g, group, blocks
):
    groups = count // group
    for e in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        x, column = e // (m * n), e % n
        row, y = a_at[x] * m + e // n % m, b_at[x]
        bits = real_to_bits(F64(out[e]))
        for q in range(0, groups, blocks):
            i, j = row * groups + q, (y * groups + q) * n + column
            at, start = row * count + q * group, (y * count + q * group) * n + column
            bits = scaled_step(
                a, sa, ea, ka, na, b, sb, eb, kb, nb, i, j, at, start, n, q == 0, bits, s, g, group,
                blocks,
            )  # fmt: skip
        store(out, e, bits)
