"""``variance_corrected`` and ``decode`` on CUDA devices. Nothing waits for the device."""

from math import prod
from typing import Any

import numpy as np

from numformats.backends import select
from numformats.block_tasks import block_decode_task
from numformats.blocking import geometry, scales_shape
from numformats.device_libraries import Library, flat, library
from numformats.device_places import (
    carrier_for,
    flat_reals,
    put,
    real_places,
    target_for,
)
from numformats.draw_grids import check_drawable
from numformats.draw_tasks import drawn, spread_dtype
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import Carrier, name_of
from numformats.random import Key
from numformats.request import request
from numformats.tasks import decode_task


def variance_corrected(
    mean: Any,
    variance: Any,
    fmt: Format,
    key: Key | None,
    return_counts: bool,
    backend: str,
    out: Any,
) -> Any:
    """``numformats.variance_corrected`` on a device: the draw, and what ``DrawCounts`` takes."""
    found, given = library(mean)
    carrier, shape = carrier_for(found, given, "mean"), tuple(given.shape)
    request("stochastic", key, None, carrier.lane)
    assert key is not None
    check_drawable(fmt)
    if isinstance(fmt, BlockFloat):
        geometry(fmt, shape)
    _check_variance(found, variance, given)
    target = target_for(found, out, given, carrier)
    module = select(backend, "cuda")
    counts = found.counts(2, given) if return_counts else None
    if 0 not in shape:
        source, result = real_places(found, given, target, carrier)
        spread = _spread(found, variance, fmt, carrier)
        reals = (flat_reals(found, source), spread, flat_reals(found, result))
        gathers = None if counts is None else flat(found, counts, np.int64)
        how = (key, shape, carrier)
        drawn(module, reals, fmt, *how, common=bool(np.isscalar(variance)), counts=gathers)
        put(found, target, result, carrier, module)
    numbers = () if counts is None else (prod(shape), counts[0], counts[1])
    return (target if out is None else out), numbers


def _check_variance(found: Library, variance: Any, mean: Any) -> None:
    if isinstance(variance, bool | np.bool_):
        raise TypeError(f"variance is {variance!r}; give a number, or an array of floats")
    if np.isscalar(variance):
        common = float(variance)  # type: ignore[arg-type]
        if not (np.isfinite(common) and common >= 0):
            raise ValueError(f"variance is {common}; it must be finite and >= 0")
        return
    other, given = library(variance)
    got, want = tuple(given.shape), tuple(mean.shape)
    if got != want:
        raise ValueError(f"variance has shape {got}, mean {want}; give a number or equal shapes")
    if other.device(given) != found.device(mean):
        raise ValueError(
            f"variance is on device {other.device(given)}, mean on device {found.device(mean)}; "
            "move one of them first"
        )


def _spread(found: Library, variance: Any, fmt: Format, carrier: Carrier) -> Any:
    if np.isscalar(variance):
        return np.array([variance], np.float64)
    other, given = library(variance)
    dtype = spread_dtype(fmt, carrier, other.dtype(given))
    return flat(other, other.compact(other.astype(given, name_of(dtype))), dtype)


def decode(codes: Any, fmt: Format, dtype: Any, backend: str) -> Any:
    """``numformats.decode`` on a device; ``dtype`` is the NumPy type of the result."""
    module = select(backend, "cuda")
    if not isinstance(fmt, BlockFloat):
        found, given = library(codes)
        return _decoded(found, given, fmt, dtype, module)
    found, given = library(codes[0])
    other, levels = library(codes[1])
    if other.device(levels) != found.device(given):
        raise ValueError("codes and scales lie on different devices; move one of them first")
    shape = tuple(given.shape)
    if tuple(levels.shape) != scales_shape(fmt, shape):
        raise ValueError(
            f"scales have shape {tuple(levels.shape)}; {fmt} over codes of shape {shape} has "
            f"scales of shape {scales_shape(fmt, shape)}"
        )
    totals = _decoded(other, levels, fmt.scale, np.float64, module)
    second = float(codes[2]) if fmt.tensor_scale else 1.0
    out = found.empty(shape, name_of(dtype), given)
    if 0 not in shape:
        source, made = _codes(found, given, fmt.element), flat_reals(found, out)
        scales = flat_reals(other, totals)
        module.decode(block_decode_task(source, made, scales, second, shape, fmt))
    return out


def _codes(found: Library, codes: Any, fmt: FixedPoint | Float) -> Any:
    kind = np.dtype(found.dtype(codes))
    if kind.kind not in "ui":
        raise TypeError(f"codes have dtype {kind}; give the unsigned integers that encode returned")
    return flat(found, found.compact(codes), np.dtype(f"u{kind.itemsize}").type)


def _decoded(found: Library, codes: Any, fmt: FixedPoint | Float, dtype: Any, module: Any) -> Any:
    source = _codes(found, codes, fmt)
    out = found.empty(tuple(codes.shape), name_of(dtype), codes)
    if 0 not in codes.shape:
        module.decode(decode_task(source, flat_reals(found, out), fmt))
    return out
