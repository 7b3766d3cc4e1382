"""``variance_corrected``: a grid value with exactly a given mean and variance (Q^vc)."""

from typing import Any, NamedTuple

import numpy as np

from numformats import device_verbs
from numformats.arrays import Host, check_out, empty_like, host, like
from numformats.backends import select
from numformats.backends.task import DrawTask
from numformats.blocking import geometry, spread
from numformats.coding import encode
from numformats.decoding import decode
from numformats.device import on_device
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import CARRIERS
from numformats.naming import parse
from numformats.random import Key, as_key
from numformats.request import request
from numformats.scaled_blocks import block_scales, tensor_scale, values_of
from numformats.tasks import check_drawable, draw_grid

REACH = 6.34  # the normal deviates of this package stay below


class DrawCounts(NamedTuple):
    """What a draw could not do: elements in all, with more variance than asked, and cut off at the
    range."""

    size: int
    deficit: int
    saturated: int


def variance_corrected(
    mean: Any,
    variance: Any,
    fmt: Format | str,
    *,
    key: Key | int | None = None,
    return_counts: bool = False,
    backend: str = "auto",
    out: Any = None,
) -> Any:
    """Draw values of ``fmt`` with mean ``mean`` and variance ``variance``.

    Args:
        mean: float32 or float64 (or half) array, on the host or on a CUDA device.
        variance: a number, or an array of the shape of ``mean``; >= 0.
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
        at the range are counted in ``saturated``. Promise: bit-identical across backends; moments
        exact in law, up to the 2^-32 resolution of the random words.

    Raises:
        ValueError: missing key, negative variance, shapes that differ, wrapping or zero-less
            formats.

    Example:
        >>> variance_corrected(np.float32([0.3, 0.3, 0.3]), 0.05, "fixed<8,3>", key=0)
        array([0.375, 0.125, 0.5  ], dtype=float32)

    Reference: Zhang, Wilson, De Sa, "Low-Precision Stochastic Gradient Langevin Dynamics", ICML
        2022, section 4.
    """
    fmt, wanted = parse(fmt), as_key(key)
    if on_device(mean):
        drawn, found = device_verbs.variance_corrected(
            mean, variance, fmt, wanted, return_counts, backend, out
        )
        return (drawn, DrawCounts(*found)) if return_counts else drawn
    source = host(mean, "mean")
    request("stochastic", wanted, None, source.carrier.lane)
    assert wanted is not None
    check_drawable(fmt)
    spread_of = _variance(variance, source)
    target = check_out(out, mean, source).view if out is not None else empty_like(source)
    means = np.ascontiguousarray(values_of(source)).reshape(-1)
    module = select(backend)
    if isinstance(fmt, BlockFloat):
        values, counts = _draw_blocks(means, spread_of, fmt, source, wanted, module)
    else:
        values, counts = _draw(means, spread_of, fmt, source, wanted, module)
    _put(target, values.reshape(source.shape), source)
    drawn = out if out is not None else like(mean, source, target)
    return (drawn, counts) if return_counts else drawn


def _variance(variance: Any, source: Host) -> Any:
    spread_of = (
        np.asarray(variance) if np.isscalar(variance) else values_of(host(variance, "variance"))
    )
    if spread_of.size > 1 and spread_of.shape != source.shape:
        raise ValueError(
            f"variance has shape {spread_of.shape}, mean {source.shape}; give a number or equal "
            f"shapes"
        )
    wide = np.ascontiguousarray(spread_of, np.float64).reshape(-1)
    if not (wide >= 0).all() or np.isinf(wide).any():
        bad = wide[~((wide >= 0) & np.isfinite(wide))][0]
        raise ValueError(f"variance holds {bad}; every variance must be finite and >= 0")
    return wide


def _put(target: Any, values: Any, source: Host) -> None:
    if source.carrier.name == "bfloat16":
        target[...] = (values.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
    else:
        target[...] = values


def _draw(
    means: Any, variance: Any, fmt: FixedPoint | Float, source: Host, key: Key, module: Any
) -> tuple[Any, DrawCounts]:
    out = np.empty(means.shape, means.dtype)
    counts = (0, 0)
    if means.size:
        other = key.fold(1)
        grid = draw_grid(fmt, source.carrier)
        wide = means.dtype == np.float16
        task_out = np.empty(means.shape, np.float32) if wide else out
        task = DrawTask(
            means.astype(np.float32) if wide else means,
            variance,
            task_out,
            key.words,
            other.words,
            key.start,
            grid,
        )
        counts = module.draws(task)
        if wide:
            out[...] = task_out
    return out, DrawCounts(means.size, *counts)


@np.errstate(all="ignore")
def _draw_blocks(
    means: Any, variance: Any, fmt: BlockFloat, source: Host, key: Key, module: Any
) -> tuple[Any, DrawCounts]:
    """Scales from the farthest value that can be drawn, then draws on the element grid of the
    scaled means."""
    if means.size == 0:
        return means.copy(), DrawCounts(0, 0, 0)
    g = geometry(fmt, source.shape)
    mean = means.astype(np.float64).reshape(g.shape)
    spread_of = variance if variance.size == 1 else variance.reshape(g.shape)
    reach = np.abs(mean) + REACH * np.sqrt(spread_of)
    total = _scales(reach, fmt, module, g.tile, source)
    unit_mean = np.where(total > 0.0, mean / total, mean).reshape(-1)
    unit_variance = (spread_of / total / total).reshape(-1)
    unit_variance = np.where(np.isfinite(unit_variance), unit_variance, 0.0)
    unit_mean = np.where(np.isfinite(total.reshape(-1)), unit_mean, np.nan)
    element = Host(unit_mean, CARRIERS["float64"], "numpy")
    values, counts = _draw(unit_mean, unit_variance, fmt.element, element, key, module)
    return (values.reshape(g.shape) * total).reshape(-1).astype(means.dtype), counts


def _scales(reach: Any, fmt: BlockFloat, module: Any, tile: tuple[int, int], source: Host) -> Any:
    if not fmt.power_of_two_scale:
        second = tensor_scale(reach, fmt)
        return spread(block_scales(reach, tile, fmt, second, module) * second, reach.shape, tile)
    codes = encode(reach.reshape(source.shape or (1,)), fmt, "toward_zero")
    scales = decode(codes.scales, fmt.scale, dtype=np.float64)
    return spread(scales.reshape(geometry(fmt, source.shape).scales_shape), reach.shape, tile)
