"""Loop skeletons of decoding on the CPU; see ``loops.py`` and, for tiles, ``scaled_loops.py``.

Values of codes of up to 16 bits are looked up in a table of all of them.
"""

# mypy: ignore-errors
# ruff: noqa: F821, D103, ANN

from numba import prange


def decoded(codes, out, spec):
    for i in prange(codes.size):
        out[i] = bits_to_real(value_bits(U(codes[i]), spec))


def looked_up(codes, out, table):
    for i in prange(codes.size):
        out[i] = table[codes[i]]


def looked_up_rows(codes, out, totals, second, table):
    """Values of element codes times their scales, in blocks of ``BLOCK`` elements along memory."""
    blocks, many = totals.size, TASK // BLOCK
    for index in prange((blocks + many - 1) // many):
        task = I64(index)
        for j in range(task * many, min((task + 1) * many, blocks)):
            total = totals[j] * second
            for i in range(j * BLOCK, (j + 1) * BLOCK):
                out[i] = table[codes[i]] * total


def looked_up_tiles(codes, out, totals, second, table, n1, nb, n2, nc, t1, t2, m1, m2):
    """The same in blocks of any layout."""
    for index in prange(totals.size // nc):
        tile = I64(index)
        for i in range(t1):
            a, length = run_of(tile, i, n1, nb, n2, nc, t1, t2, m1, m2)
            for at in range(a, a + length, nc):
                for k in range(nc):
                    out[at + k] = table[codes[at + k]] * (totals[tile * nc + k] * second)
