"""``variance_corrected``: a grid value with exactly a given mean and variance (Q^vc)."""

from typing import Any, NamedTuple

import numpy as np

from numformats import device_reals, draw_tasks
from numformats.arrays import Host, host, like
from numformats.backends import select
from numformats.device import on_device
from numformats.draw_grids import check_drawable
from numformats.dtypes import FormatLike
from numformats.formats import Format
from numformats.halves import place_for, put, reals, values_of
from numformats.naming import parse
from numformats.outputs import check_out, empty_like
from numformats.random import Key, as_key
from numformats.request import request


class DrawCounts(NamedTuple):
    """What a draw could not do: elements in all, with more variance than asked, and cut off at the
    range. Of CuPy arrays and CUDA tensors the latter two are 0-d int64 arrays like these, so that
    nothing waits for the device; else ints."""

    size: int
    deficit: Any
    saturated: Any


def variance_corrected(
    mean: Any,
    variance: Any,
    fmt: FormatLike,
    *,
    key: Key | int | None = None,
    return_counts: bool = False,
    backend: str = "auto",
    out: Any = None,
) -> Any:
    """Draw values of ``fmt`` with mean ``mean`` and variance ``variance``.

    Args:
        mean: float32 or float64 (or half) array, on the host or on a CUDA device.
        variance: a number, or an array of the shape of ``mean``; >= 0, which on a device is not
            checked element by element.
        fmt: the format of the result; of a block format, the scales are chosen to cover whatever
            can be drawn.
        key: an int or ``nf.Key``; required.
        return_counts: also return ``DrawCounts``.
        backend: ``"auto"`` or a name in ``nf.backends()``.
        out: receives the result, like ``mean``.

    Returns:
        An array like ``mean``, every element a value of ``fmt`` (``(array, DrawCounts)`` with
        ``return_counts``). Within the range the mean is exact; the variance is exact unless plain
        stochastic rounding to the two neighbours already has more (``deficit``). Elements cut off
        at the range are counted in ``saturated``; Inf is. Promise: bit-identical across backends;
        moments exact in law, up to a relative 2^-22 (probabilities and deviates are float32).

    Raises:
        TypeError: a mean or a variance that holds no floats; an ``out`` of another kind.
        ValueError: missing key, a variance that is negative or not finite, shapes that differ,
            wrapping or zero-less formats.

    Example:
        >>> variance_corrected(np.float32([0.3, 0.3, 0.3]), 0.05, "fixed<8,3>", key=0)
        array([0.375, 0.125, 0.5  ], dtype=float32)

    Reference: Zhang, Wilson, De Sa, "Low-Precision Stochastic Gradient Langevin Dynamics", ICML
        2022, section 4.
    """
    fmt, wanted = parse(fmt), as_key(key)
    if on_device(mean):
        drawn, found = device_reals.variance_corrected(
            mean, variance, fmt, wanted, return_counts, backend, out
        )
        return (drawn, DrawCounts(*found)) if return_counts else drawn
    source = host(mean, "mean")
    request("stochastic", wanted, None, source.carrier.lane)
    assert wanted is not None
    check_drawable(fmt)
    spread_of = _variance(variance, source, fmt)
    common = spread_of.size == 1
    target = check_out(out, mean, source).view if out is not None else empty_like(source)
    counts = np.zeros(2, np.int64)
    if source.view.size:
        means = reals(source)
        place = place_for(target, means, source)
        where = (wanted, source.shape, source.carrier)
        how = {"common": common, "counts": counts}
        draw_tasks.drawn(select(backend), (means, spread_of, place), fmt, *where, **how)
        if not np.may_share_memory(place, target):
            put(target, place, source)
    drawn = out if out is not None else like(mean, source, target)
    return (drawn, DrawCounts(source.view.size, *counts.tolist())) if return_counts else drawn


def _variance(variance: Any, source: Host, fmt: Format) -> Any:
    """One variance, in float64, or those of elements in the dtype that draws take."""
    number = isinstance(variance, int | float | np.integer) and not isinstance(variance, bool)
    given = np.asarray(variance) if number else values_of(host(variance, "variance"))
    if given.size != 1 and given.shape != source.shape:
        raise ValueError(
            f"variance has shape {given.shape}, mean {source.shape}; give a number or equal shapes"
        )
    one, carrier = given.size == 1, source.carrier
    dtype = np.float64 if one else draw_tasks.spread_dtype(fmt, carrier, given.dtype)
    flat = np.ascontiguousarray(given, dtype).reshape(-1)
    if flat.size and not (flat.min() >= 0 and flat.max() < np.inf):
        bad = flat[~((flat >= 0) & np.isfinite(flat))][0]
        raise ValueError(f"variance holds {bad}; every variance must be finite and >= 0")
    return flat
