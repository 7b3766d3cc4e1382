"""``Codes``: stored codes together with their format, as verbs on numbers take them."""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

from numformats.arrays import plain
from numformats.blocking import scales_shape
from numformats.coding import check_codes
from numformats.decoding import check_kind, decode
from numformats.device import on_device
from numformats.formats import BlockFloat, Format
from numformats.naming import parse
from numformats.packing import packed_size, sizes_of, unpack
from numformats.viewing import codes_in, viewed


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
            object.__setattr__(self, "codes", _loose(self.codes, fmt, sizes_of(self.shape)))
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


def as_codes(x: Any) -> Codes:
    """The codes in an array whose data type is a format, in the memory of ``x``.

    Args:
        x: NumPy array of float16, float32, float64 or a float of ml_dtypes, or torch tensor of
            ``torch.float8_e4m3fn`` and its like; any shape and strides, on any device.

    Returns:
        ``Codes`` with ``codes`` in unsigned integers of the same width and ``fmt`` the format.
        Promise: exact; nothing is copied, so that a change of one changes the other.

    Raises:
        TypeError: another data type; two codes a byte (``torch.float4_e2m1fn_x2``).

    Example:
        >>> import numpy as np
        >>> found = as_codes(np.float16([1.0, -2.0]))
        >>> found.codes, str(found.fmt)
        (array([15360, 49152], dtype=uint16), 'fp16')
    """
    found = codes_in(x)
    if found is None:
        raise TypeError(
            f"x is a {type(x).__name__} of dtype {getattr(x, 'dtype', None)}, which is no format; "
            "give an array of a float data type, or round with nf.encode(x, fmt)"
        )
    return Codes(*found)


def as_dtype(codes: Any, dtype: Any) -> Any:
    """Codes as an array of a data type that holds them, in the same memory.

    Args:
        codes: unsigned integers as ``encode`` gave them, or ``Codes``; of NumPy or torch.
        dtype: a float data type of the same library, such as ``ml_dtypes.float8_e5m2``.

    Returns:
        An array of ``dtype`` in the shape of the codes. Promise: exact; nothing is copied.

    Raises:
        TypeError: no such data type, block codes, codes of another width or library.
        ValueError: ``Codes`` of another format; codes of more bits than the format has.

    Example:
        >>> import numpy as np, numformats as nf
        >>> as_dtype(nf.encode(np.float32([1.0, 0.1]), "fp16"), np.float16)
        array([1. , 0.1], dtype=float16)
    """
    if isinstance(codes, Codes):
        wanted = parse(dtype)
        if codes.fmt != wanted:
            raise ValueError(
                f"codes are of {codes.fmt}, {dtype!r} holds {wanted}; write "
                f"nf.encode(codes.values(), {str(wanted)!r})"
            )
        codes = codes.codes
    if not hasattr(codes, "dtype"):
        raise TypeError(f"codes are a {type(codes).__name__}; give the array that encode returned")
    found = viewed(codes, dtype)
    fmt = parse(dtype)
    if fmt.bits % 8 and not on_device(codes):
        check_codes(plain(codes, "codes")[0], fmt.bits, fmt)
    return found


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
