"""Blocks whose scales are not powers of two (NVFP4), with or without a second scale for the whole
array.

Scale of a block: amax / (element.max * tensor_scale), rounded into the scale format. Elements:
x / (scale * tensor_scale), rounded to the element format. Both quotients are formed in float64,
which decides every tie exactly for carriers up to float32: numerator and tie differ by at least
2^-31 relative, or not at all. Float64 carriers round the quotient once.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numformats.arrays import Host
from numformats.backends.task import ScalarTask
from numformats.blocking import Geometry, block_maxima, geometry, spread
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.lanes import CARRIERS, LANE64
from numformats.lowering import code_spec, lower
from numformats.request import Request, request

PIECE = 1 << 16
_SCALE_ROUNDING = {
    "floor": "toward_zero",
    "even": "nearest_even",
    "ceil": "toward_positive",
    "rceil": "toward_positive",
}
_FLOAT64 = CARRIERS["float64"]


def values_of(source: Host) -> Any:
    """The values of an array, as floats (bfloat16 as float32)."""
    if source.carrier.name == "bfloat16":
        wide: Any = source.view.astype(np.uint32) << np.uint32(16)
        return wide.view(np.float32)
    return source.view


def saturating(fmt: FixedPoint | Float) -> FixedPoint | Float:
    """``fmt`` with every overflow at its largest value."""
    return replace(fmt, overflow="clamp") if isinstance(fmt, Float) else fmt


def _round(
    values: Any,
    fmt: FixedPoint | Float,
    wanted: Request,
    module: Any,
    at: int = 0,
    codes: Any = None,
) -> Any:
    """Contiguous float64 ``values`` rounded to ``fmt``, or encoded into ``codes``."""
    bits = np.ascontiguousarray(values).reshape(-1).view(np.uint64)
    out = np.empty_like(bits) if codes is None else codes
    if bits.size:
        module.scalar(
            ScalarTask(
                x=bits,
                out=out,
                carrier=_FLOAT64,
                lowered=lower(fmt, _FLOAT64, wanted.mode),
                codes=code_spec(fmt, _FLOAT64.lane),
                mode=wanted.mode,
                words=wanted.words,
                first=wanted.first + at,
                spare=wanted.spare,
                encode=codes is not None,
            )
        )
    return (
        out.view(np.float64).reshape(values.shape) if codes is None else out.reshape(values.shape)
    )


@np.errstate(all="ignore")
def tensor_scale(values: Any, fmt: BlockFloat) -> float:
    """The float32 scale of the whole array, from its largest finite magnitude; 1 for an array of
    zeros."""
    if not fmt.tensor_scale:
        return 1.0
    top = 0.0
    for at in range(0, values.size, PIECE):
        piece = np.abs(np.asarray(values.reshape(-1)[at : at + PIECE], np.float64))
        top = max(top, float(piece.max(initial=0.0, where=np.isfinite(piece))))
    if top == 0.0:
        return 1.0
    limit = float(fmt.scale.exact_max) * float(fmt.element.max)
    return float(max(np.float32(top / limit), np.float32(2.0**-149)))


@np.errstate(all="ignore")
def block_scales(
    piece: Any, tile: tuple[int, int], fmt: BlockFloat, second: float, module: Any
) -> Any:
    """Scales of the blocks of a five-dimensional float64 ``piece``; NaN where a block holds NaN or
    Inf."""
    amax = block_maxima(np.abs(piece), tile)
    amax[np.isinf(amax)] = np.nan
    rounding = request(_SCALE_ROUNDING[fmt.scale_rule], None, None, LANE64)
    return _round(amax / (float(fmt.element.max) * second), saturating(fmt.scale), rounding, module)


def _pieces(g: Geometry) -> Iterator[tuple[slice, slice, int]]:
    """Parts of the view along axes 0 and 3 that lie together in memory, with the index of their
    first element."""
    a, n1, b, n2, c = g.shape
    if n1 == b == c == 1:
        step = max(PIECE // g.tile[1], 1) * g.tile[1]
        rows = max(PIECE // max(n2, 1), 1) if n2 <= step else 1
        for row in range(0, a, rows):
            for at in range(0, n2, step):
                yield slice(row, row + rows), slice(at, at + step), row * n2 + at
        return
    inner = n1 * b * n2 * c
    rows = max(PIECE // max(inner, 1), 1)
    for row in range(0, a, rows):
        yield slice(row, row + rows), slice(None), row * inner


@np.errstate(all="ignore")
def quantize_scaled(
    source: Host, target: Any, fmt: BlockFloat, wanted: Request, module: Any
) -> None:
    """Round the array ``source`` into ``target`` (NumPy view) in blocks with scales of
    ``fmt.scale``."""
    if source.view.size == 0:
        return
    g = geometry(fmt, source.shape)
    values = values_of(source)
    second = tensor_scale(values, fmt)
    x = np.ascontiguousarray(values).reshape(g.shape)
    result = target if target.flags["C_CONTIGUOUS"] else np.empty(target.shape, target.dtype)
    out = result.reshape(g.shape)
    element = saturating(fmt.element)
    for rows, cols, at in _pieces(g):
        piece = x[rows, :, :, cols].astype(np.float64)
        scale = block_scales(piece, g.tile, fmt, second, module)
        total = spread(scale * second, piece.shape, g.tile)
        rounded = _round(_quotient(piece, total), element, wanted, module, at) * total
        out[rows, :, :, cols] = _narrow(np.where(np.isnan(total), np.nan, rounded), source)
    if result is not target:
        target[...] = result


def _quotient(piece: Any, total: Any) -> Any:
    """Elements over their scales; signed zeros where the scale is 0 or NaN."""
    return np.where((total == 0.0) | np.isnan(total), np.copysign(0.0, piece), piece / total)


def _narrow(values: Any, source: Host) -> Any:
    if source.carrier.name != "bfloat16":
        return values.astype(source.view.dtype)
    bits = values.astype(np.float32).view(np.uint32)
    nearest = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(values), np.uint32(0x7FC0), nearest).astype(np.uint16)


@np.errstate(all="ignore")
def encode_scaled(
    source: Host, fmt: BlockFloat, wanted: Request, module: Any, codes: Any, scales: Any
) -> float:
    """Fill ``codes`` and ``scales`` (flat); returns the tensor scale."""
    if source.view.size == 0:
        return 1.0
    g = geometry(fmt, source.shape)
    values = values_of(source)
    second = tensor_scale(values, fmt)
    x = np.ascontiguousarray(values).reshape(g.shape)
    out, levels = codes.reshape(g.shape), scales.reshape(g.scales_shape)
    element, exact = saturating(fmt.element), request("toward_zero", None, None, LANE64)
    for rows, cols, at in _pieces(g):
        piece = x[rows, :, :, cols].astype(np.float64)
        scale = block_scales(piece, g.tile, fmt, second, module)
        total = spread(scale * second, piece.shape, g.tile)
        filled = np.empty(piece.size, codes.dtype)
        out[rows, :, :, cols] = _round(_quotient(piece, total), element, wanted, module, at, filled)
        first = 0 if cols.start is None else cols.start // g.tile[1]
        part = slice(first, first + scale.shape[3])
        levels[rows, :, :, part] = _round(
            scale, fmt.scale, exact, module, 0, np.empty(scale.size, scales.dtype)
        )
    return second
