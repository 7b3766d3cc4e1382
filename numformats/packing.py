"""``pack`` and ``unpack``: codes as dense bytes, as a chip would store them."""

from collections.abc import Iterable, Iterator
from math import gcd, prod
from operator import index
from typing import Any

import numpy as np

from numformats.arrays import as_kind, plain
from numformats.coding import check_codes
from numformats.dtypes import FormatLike
from numformats.naming import parse
from numformats.tasks import code_dtype

WHOLE = {8: "u1", 16: "<u2", 32: "<u4"}  # codes that are integers of memory
PIECE = 1 << 16  # codes a step; a multiple of 8, so that every step ends on a byte


def packed_size(count: int, fmt: FormatLike) -> int:
    """Bytes that ``count`` codes of ``fmt`` take: ``ceil(count * bits / 8)``."""
    return -(-count * parse(fmt).bits // 8)


def pack(codes: Any, fmt: FormatLike) -> Any:
    """Codes as a dense uint8 array.

    Code i takes bits ``[i*b, (i+1)*b)`` of one long bit string, the least significant bit first,
    bytes little-endian; so two 4-bit codes share a byte, the first in its low half. Unused bits of
    the last byte are 0.

    Args:
        codes: unsigned integers of any shape (for block formats the element codes), taken in C
            order.
        fmt: the format (its ``bits`` count) or its name.

    Returns:
        uint8, shape ``(ceil(n * bits / 8),)``. Promise: exact.

    Raises:
        TypeError: codes that are not integers.
        ValueError: a code of more than ``fmt.bits`` bits.

    Example:
        >>> pack(np.uint8([1, 2, 15]), "e2m1")
        array([33, 15], dtype=uint8)
    """
    bits = parse(fmt).bits
    view, source = plain(codes, "codes")
    check_codes(view, bits, fmt)
    flat = view.reshape(-1)
    out = np.empty(-(-flat.size * bits // 8), np.uint8)
    for at in range(0, flat.size, PIECE):
        first = at * bits // 8
        out[first : first + PIECE * bits // 8] = _dense(flat[at : at + PIECE], bits)
    return out if source is None else as_kind(source, out)


def unpack(packed: Any, fmt: FormatLike, shape: int | tuple[int, ...]) -> Any:
    """The codes of ``shape`` that :func:`pack` made dense. Promise: exact.

    Raises:
        TypeError: ``packed`` is not uint8.
        ValueError: a number of bytes that does not belong to ``shape``.
    """
    bits = parse(fmt).bits
    view, source = plain(packed, "packed")
    if view.dtype != np.uint8:
        raise TypeError(f"packed has dtype {view.dtype}; give the uint8 array that pack returned")
    shape = sizes_of(shape)
    count = prod(shape)
    if view.size != -(-count * bits // 8):
        raise ValueError(
            f"packed has {view.size} bytes; {count} codes of {bits} bits (shape {shape}) take "
            f"{-(-count * bits // 8)}"
        )
    out = np.empty(count, code_dtype(bits))
    flat = view.reshape(-1)
    for at in range(0, count, PIECE):
        piece = flat[at * bits // 8 : -(-(at + PIECE) * bits // 8)]
        out[at : at + PIECE] = _loose(piece, bits, min(PIECE, count - at))
    out = out.reshape(shape)
    return out if source is None else as_kind(source, out)


def _bytes(bits: int) -> Iterator[tuple[int, int, int]]:
    """Of the codes that together fill whole bytes: which code, a byte that it lies in, and the
    right shift (negative: left) that brings its bits to their places there."""
    for code in range(8 // gcd(bits, 8)):
        first, shift = divmod(code * bits, 8)
        for k in range(-(-(shift + bits) // 8)):
            yield code, first + k, 8 * k - shift


def _dense(codes: Any, bits: int) -> Any:
    """A piece of codes as bytes."""
    if bits in WHOLE:
        return codes.astype(WHOLE[bits]).view(np.uint8)
    count = 8 // gcd(bits, 8)
    groups = -(-codes.size // count)
    loose = np.zeros((groups, count), _lane(bits))
    loose.reshape(-1)[: codes.size] = codes
    loose, dense = loose.T.copy(), np.zeros((count * bits // 8, groups), np.uint8)
    for code, byte, right in _bytes(bits):
        part = loose[code] >> right if right >= 0 else loose[code] << -right
        dense[byte] |= part.astype(np.uint8)
    return dense.T.reshape(-1)[: -(-codes.size * bits // 8)]


def _loose(piece: Any, bits: int, n: int) -> Any:
    """The ``n`` codes in a piece of bytes."""
    if bits in WHOLE:
        return np.ascontiguousarray(piece).view(WHOLE[bits])
    count = 8 // gcd(bits, 8)
    groups = -(-n // count)
    dense = np.zeros((groups, count * bits // 8), np.uint8)
    dense.reshape(-1)[: piece.size] = piece
    dense, loose = dense.T.copy(), np.zeros((count, groups), _lane(bits))
    for code, byte, right in _bytes(bits):
        part = dense[byte].astype(loose.dtype)
        loose[code] |= part << right if right >= 0 else part >> -right
    loose &= (1 << bits) - 1
    return loose.T.reshape(-1)[:n]


def _lane(bits: int) -> Any:
    """Integers that hold a code shifted within its bytes."""
    return np.dtype(np.uint16 if bits <= 9 else np.uint32 if bits <= 25 else np.uint64)


def sizes_of(shape: Any) -> tuple[int, ...]:
    """``shape`` as a tuple of ints.

    Raises:
        TypeError, ValueError: something else, or a negative number.
    """
    try:
        found = tuple(map(index, shape if isinstance(shape, Iterable) else (shape,)))
    except TypeError:
        raise TypeError(
            f"shape is {shape!r}; write an int or a tuple of ints, such as codes.shape"
        ) from None
    if min(found, default=0) < 0:
        raise ValueError(f"shape is {shape!r}; write numbers of at least 0")
    return found
