"""``pack`` and ``unpack``: codes as dense bytes, as a chip would store them."""

from math import prod
from typing import Any

import numpy as np

from numformats.arrays import as_kind, plain
from numformats.coding import check_codes
from numformats.dtypes import FormatLike
from numformats.naming import parse
from numformats.tasks import code_dtype

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
    view, source = plain(codes)
    check_codes(view, bits, fmt)
    flat = view.reshape(-1)
    out = np.zeros(-(-flat.size * bits // 8), np.uint8)
    for at in range(0, flat.size, PIECE):
        raw = flat[at : at + PIECE].astype("<u8").view(np.uint8).reshape(-1, 8)
        used = raw[:, : -(-bits // 8)]
        dense = (
            used if bits % 8 == 0 else np.unpackbits(used, axis=1, bitorder="little", count=bits)
        )
        piece = (
            dense.reshape(-1)
            if bits % 8 == 0
            else np.packbits(dense.reshape(-1), bitorder="little")
        )
        first = at * bits // 8
        out[first : first + piece.size] = piece
    return out if source is None else as_kind(source, out)


def unpack(packed: Any, fmt: FormatLike, shape: int | tuple[int, ...]) -> Any:
    """The codes of ``shape`` that :func:`pack` made dense.

    Raises:
        TypeError: ``packed`` is not uint8.
        ValueError: a number of bytes that does not belong to ``shape``.
    """
    bits = parse(fmt).bits
    view, source = plain(packed)
    if view.dtype != np.uint8:
        raise TypeError(f"packed has dtype {view.dtype}; give the uint8 array that pack returned")
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    count = prod(shape)
    if view.size != -(-count * bits // 8):
        raise ValueError(
            f"packed has {view.size} bytes; {count} codes of {bits} bits (shape {shape}) take "
            f"{-(-count * bits // 8)}"
        )
    out = np.empty(count, code_dtype(bits))
    flat = view.reshape(-1)
    for at in range(0, count, PIECE):
        n = min(PIECE, count - at)
        piece = flat[at * bits // 8 : -(-(at + n) * bits // 8)]
        raw = np.zeros((n, 8), np.uint8)
        if bits % 8:
            loose = np.unpackbits(piece, bitorder="little", count=n * bits).reshape(n, bits)
            raw[:, : -(-bits // 8)] = np.packbits(loose, axis=1, bitorder="little")
        else:
            raw[:, : bits // 8] = piece.reshape(n, -1)
        out[at : at + n] = raw.view("<u8").reshape(-1)
    out = out.reshape(shape)
    return out if source is None else as_kind(source, out)
