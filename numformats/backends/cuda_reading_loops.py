"""Loop skeletons that read operands of matrix products in Numba CUDA, and give results their dtype;
see ``reading_task.py`` and ``cuda_dot_loops.py``. A layout is its numbers (outer, stored, inner,
count, first, line, step, column), whether there are lines and places, and these.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import cuda


def place_of(i, sizes, places):
    p = i // sizes[2] % sizes[1]
    return places[p] if sizes[9] > 0 else p


def memory_of(i, place, sizes, lines):
    line = i // (sizes[2] * sizes[1])
    start = lines[line] if sizes[8] > 0 else line * sizes[5]
    return sizes[4] + start + place * sizes[6] + i % sizes[2] * sizes[7]


def factors(
    x, sig, exp, kind, found, scale_exp, scale_kind, block, fill, s, sizes, lines, places
):  # fmt: skip
    seen, scales = W32(0), (sizes[3] + block - 1) // block
    for i in range(cuda.grid(1), sig.size, cuda.gridsize(1)):
        place = place_of(i, sizes, places)
        if place < 0:
            zero = place == ZERO_PLACE
            sig[i], exp[i] = fill[0] if zero else 0, fill[1] if zero else NO_TERM
            kind[i] = fill[2] if zero else 0
        else:
            bits = U(load(x[memory_of(i, place, sizes, lines)]) & s.keep)
            size = I64(I(shl(operand_significand(bits, s), s.up)))
            k = operand_kind(bits, s)
            seen = W32(seen | W32(k))
            e = I64(NO_TERM) if U(k & U(4)) > ZERO else I64(operand_exponent(bits, s))
            more = W32(k & U(1)) if MAGNITUDES else W32(k)
            if SCALED:
                line = i // (sizes[2] * sizes[1]) * scales + place // block
                at = line * sizes[2] + i % sizes[2]
                e += I64(scale_exp[at])
                more = W32(more | W32(W32(scale_kind[at]) & W32(1)))
            sig[i] = I64(0) - size if bits > MAGNITUDE and not MAGNITUDES else size
            exp[i], kind[i] = e, more
    if seen > W32(0):
        cuda.atomic.or_(found, 0, seen)


def read(x, out, found, low, power, sizes, lines, places, g):
    """``CHECKS``, ``HAS_NAN``, ``FLUSHES``, ``SIGNED`` and ``SCALES`` say what is done."""
    bad = W32(0)
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        place = place_of(i, sizes, places)
        if place < 0:
            out[i] = 0
        else:
            bits = number_bits(x[memory_of(i, place, sizes, lines)])
            if CHECKS:
                nan = U(bits & MAGNITUDE) > INF_BITS
                kept = bits_to_real(round_check(bits, ZERO, g)) == bits_to_real(bits)
                if (nan and not HAS_NAN) or (not nan and not kept):
                    bad = W32(1)
            if FLUSHES:
                value = bits_to_real(bits)
                bits = real_to_bits(flushed(value, low) if SIGNED else flushed_input(value, low))
            if SCALES:
                bits = real_to_bits(product(bits_to_real(bits), power))
            store(out, i, bits)
    if bad > W32(0):
        cuda.atomic.or_(found, 0, bad)


def add(x, out, g, nan):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        bits = round_sum(add_odd(F64(out[i]), F64(x[i])), ZERO, g)
        store(out, i, nan if U(bits & MAGNITUDE) > INF_BITS else bits)


def cast(x, out, sizes, lines, places):
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        out[i] = cast_bits(x[memory_of(i, place_of(i, sizes, places), sizes, lines)])


def put(x, out, sizes, lines, places):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        out[memory_of(i, place_of(i, sizes, places), sizes, lines)] = cast_bits(x[i])


def read_integers(x, out, found, low, high, sizes, lines, places):
    bad = W32(0)
    for i in range(cuda.grid(1), out.size, cuda.gridsize(1)):
        place, value = place_of(i, sizes, places), I64(0)
        if place >= 0:
            given = x[memory_of(i, place, sizes, lines)]
            value = I64(given)
            if value < low or value > high or (UNSIGNED and value < 0):
                bad = W32(1)
        out[i] = value
    if bad > W32(0):
        cuda.atomic.or_(found, 0, bad)


def wrap_integers(x, out, spare, sizes, lines, places):
    for i in range(cuda.grid(1), x.size, cuda.gridsize(1)):
        at = memory_of(i, place_of(i, sizes, places), sizes, lines)
        out[at] = A(A(x[i] << spare) >> spare)
