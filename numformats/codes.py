"""``Codes``: stored codes together with their format, as verbs on numbers take them."""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from numformats.blocking import scales_shape
from numformats.decoding import check_kind, decode
from numformats.formats import BlockFloat, Format
from numformats.naming import parse
from numformats.packing import packed_size, unpack


@dataclass(frozen=True, eq=False)
class Codes:
    """Codes that ``encode`` or ``pack`` gave, and the format that they are in.

    Args:
        codes: what ``nf.encode`` returned: unsigned integers, or ``BlockCodes`` or
            ``ScaledBlockCodes`` for block formats; or, with ``shape``, the bytes that ``nf.pack``
            made of them (of a tuple's codes, and of its scales; what has its loose shape and cannot
            be packed is loose).
        fmt: the format or its name.
        shape: that of the codes, where they are packed.

    Promise: the numbers are those of ``nf.decode``, exactly.

    Raises:
        TypeError: a plain array for a block format, or a tuple for another.
        ValueError: packed bytes that are too few or too many for ``shape``.

    Example:
        >>> import numpy as np, numformats as nf
        >>> x = np.float32([[1.0, -448.0]])
        >>> Codes(nf.pack(nf.encode(x, "e4m3"), "e4m3"), "e4m3", (1, 2)).values()
        array([[   1., -448.]], dtype=float32)
    """

    codes: Any
    fmt: Any
    shape: tuple[int, ...] | None = None
    _loose: bool = field(default=False, repr=False, kw_only=True)

    def __post_init__(self) -> None:
        fmt: Format = parse(self.fmt)
        object.__setattr__(self, "fmt", fmt)
        check_kind(self.codes, fmt)
        if self.shape is not None and not self._loose:
            object.__setattr__(self, "codes", _loose(self.codes, fmt, tuple(self.shape)))
        found = self.codes[0] if isinstance(self.codes, tuple) else self.codes
        if not hasattr(found, "shape"):
            raise TypeError(
                f"codes are a {type(found).__name__}; give the array that encode or pack returned"
            )
        object.__setattr__(self, "shape", tuple(found.shape))
        object.__setattr__(self, "_loose", True)

    def values(self, dtype: Any = None) -> Any:
        """The numbers, as ``nf.decode`` gives them."""
        return decode(self.codes, self.fmt, dtype=dtype)

    @property
    def T(self) -> "Codes":  # noqa: N802 - as arrays call it
        """The last two axes exchanged, those of blocks with them."""
        if not isinstance(self.codes, tuple):
            return Codes(self.codes.swapaxes(-1, -2), self.fmt)
        codes, scales, *rest = self.codes
        axis, ndim = self.fmt.axis, len(codes.shape)
        several = isinstance(axis, tuple)
        turned = tuple(_turned(a, ndim) for a in axis) if several else _turned(axis, ndim)
        given = (codes.swapaxes(-1, -2), scales.swapaxes(-1, -2), *rest)
        return Codes(given, replace(self.fmt, axis=turned))


def _turned(axis: int | None, ndim: int) -> int | None:
    """Where an axis lies when the last two are exchanged."""
    if axis is None:
        return None
    at = axis - ndim if axis >= 0 else axis
    return {-1: -2, -2: -1}.get(at, axis)


def _loose(codes: Any, fmt: Format, shape: tuple[int, ...]) -> Any:
    """Packed codes, and the packed scales of blocks, unpacked; what has its shape is loose."""
    if not isinstance(fmt, BlockFloat):
        return _unpacked(codes, fmt, shape)
    scales = _unpacked(codes[1], fmt.scale, scales_shape(fmt, shape))
    return (_unpacked(codes[0], fmt, shape), scales, *codes[2:])


def _unpacked(codes: Any, fmt: Format, shape: tuple[int, ...]) -> Any:
    given = tuple(getattr(codes, "shape", ()))
    dense = (packed_size(prod(shape), fmt),)
    return codes if given == shape != dense else unpack(codes, fmt, shape)
