"""``decode``: stored codes to the values they stand for."""

from functools import lru_cache
from typing import Any

import numpy as np

from numformats.arrays import Host, as_kind, plain
from numformats.blocking import geometry, scales_shape, spread
from numformats.coding import check_codes
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import LANE32
from numformats.naming import parse
from numformats.tasks import fits

TABLE_BITS = 16


def decode(codes: Any, fmt: Format | str, *, dtype: Any = None) -> Any:
    """The values of stored codes.

    Args:
        codes: unsigned integers of any shape; for block
            formats the tuple that ``encode`` gave.
        fmt: the format or its name.
        dtype: ``numpy.float32`` or ``numpy.float64``; by default float32 where it holds every
            value of the format (of the elements, for blocks), else float64.

    Returns:
        Values in the shape of the codes, of the codes' kind. Promise: exact (scales that are not
        powers of two: rounded once into ``dtype``).

    Raises:
        TypeError: codes that are not integers; a plain array for a block format.
        ValueError: a code of more than ``fmt.bits`` bits; a format with values that float64 lacks;
        a value beyond ``dtype``.

    Example:
        >>> decode(np.uint8([56, 254, 127]), "e4m3")
        array([   1., -448.,   nan], dtype=float32)
    """
    fmt = parse(fmt)
    if isinstance(fmt, BlockFloat):
        return _decode_blocks(codes, fmt, dtype)
    if isinstance(codes, tuple):
        raise TypeError(
            f"codes are a tuple of block codes, and {fmt} is no block format; give the format they "
            "were encoded in"
        )
    view, source = plain(codes)
    check_codes(view, fmt.bits, fmt)
    wide = _values(view, fmt)
    return _given(_narrowed(wide, _dtype(fmt, dtype)), source)


def _given(values: Any, source: Host | None) -> Any:
    return values if source is None else as_kind(source, values)


def _dtype(fmt: FixedPoint | Float, dtype: Any) -> Any:
    if dtype is None:
        return np.float32 if fits(fmt, LANE32) else np.float64
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype={dtype!r}; write numpy.float32 or numpy.float64")
    return np.dtype(dtype).type


def _narrowed(values: Any, dtype: Any) -> Any:
    with np.errstate(over="ignore"):
        out = values.astype(dtype, copy=False)
    if dtype is np.float32 and (np.isinf(out) & np.isfinite(values)).any():
        raise ValueError("a value lies beyond float32; write dtype=numpy.float64")
    return out


@lru_cache(maxsize=256)
def table(fmt: FixedPoint | Float) -> Any:
    """Float64 values of all codes of a format of at most 16 bits.

    Raises:
        ValueError: a value that float64 cannot hold.
    """
    values = [fmt.value(code) for code in range(1 << fmt.bits)]
    try:
        out = np.array([float(v) for v in values])
    except OverflowError:
        out = np.array([np.inf])
    low = -fmt.frac_bits if isinstance(fmt, FixedPoint) else fmt.low_exponent
    if low < -1074 or np.isinf(out[:1]).any() or any(v != float(v) for v in values if v == v):
        raise ValueError(
            f"{fmt} has values that float64 cannot hold; fmt.value(code) gives them as fractions"
        )
    out.flags.writeable = False
    return out


def _values(view: Any, fmt: FixedPoint | Float) -> Any:
    """Float64 values of codes."""
    if fmt.bits <= TABLE_BITS:
        return table(fmt)[view]
    codes = view.astype(np.uint64)
    if isinstance(fmt, FixedPoint):
        spare = np.int64(64 - fmt.word_bits)
        signed = (codes << np.uint64(spare)).view(np.int64) >> spare
        whole = signed if fmt.signed else codes & np.uint64((1 << fmt.word_bits) - 1)
        return np.ldexp(whole.astype(np.float64), -fmt.frac_bits)
    return _wide_floats(codes, fmt)


def _wide_floats(codes: Any, fmt: Float) -> Any:
    if fmt.emax > 1023 or fmt.low_exponent < -1074:
        raise ValueError(
            f"{fmt} has values that float64 cannot hold; fmt.value(code) gives them as fractions"
        )
    one, m = np.uint64(1), np.uint64(fmt.man_bits)
    mag = codes & np.uint64((1 << (fmt.exp_bits + fmt.man_bits)) - 1)
    negative = (codes >> np.uint64(fmt.bits - 1) & one).astype(bool) & fmt.signed
    e, t = (mag >> m).astype(np.int64), mag & ((one << m) - one)
    normal = (e > 0) | (not fmt.zero)
    sig = np.where(normal, t | one << m, t if fmt.subnormals else np.uint64(0)).astype(np.float64)
    shift = np.where(normal, e - fmt.exponent_bias - fmt.man_bits, fmt.low_exponent)
    with np.errstate(over="ignore"):
        size = np.ldexp(sig, shift)
    size[mag > fmt.max_code] = np.nan
    if fmt.has_inf:
        size[mag == fmt.inf_code] = np.inf
    size = np.where(negative, -size, size)
    lone_nan = fmt.signed and fmt.specials in ("fnuz", "p3109", "p3109_finite")
    return np.where(lone_nan & (codes == np.uint64(1 << (fmt.bits - 1))), np.nan, size)


def _decode_blocks(codes: Any, fmt: BlockFloat, dtype: Any) -> Any:
    if not isinstance(codes, tuple) or len(codes) != 2 + fmt.tensor_scale:
        want = "(codes, scales, tensor_scale)" if fmt.tensor_scale else "(codes, scales)"
        raise TypeError(
            f"codes of {fmt} are {type(codes).__name__}; give the tuple {want} that encode returned"
        )
    (view, source), (levels, _) = plain(codes[0]), plain(codes[1])
    check_codes(view, fmt.element.bits, fmt)
    check_codes(levels, fmt.scale.bits, fmt.scale)
    if levels.shape != scales_shape(fmt, view.shape):
        raise ValueError(
            f"scales have shape {levels.shape}; {fmt} over codes of shape {view.shape} has scales "
            f"of shape "
            f"{scales_shape(fmt, view.shape)}"
        )
    kind = _dtype(fmt.element, dtype)
    if view.size == 0:
        return _given(np.zeros(view.shape, kind), source)
    g = geometry(fmt, view.shape)
    second = codes[2] if fmt.tensor_scale else 1.0
    scales = _values(levels, fmt.scale).reshape(g.scales_shape) * second
    values = _values(view, fmt.element).reshape(g.shape) * spread(scales, g.shape, g.tile)
    return _given(_narrowed(values.reshape(view.shape), kind), source)
