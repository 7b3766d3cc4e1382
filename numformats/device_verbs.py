"""``quantize``, ``encode`` and ``variance_corrected`` of arrays on CUDA devices.

Nothing is copied between devices or to the host, and nothing waits for the device, with two
exceptions: encoding into a format without NaN asks whether there is one, and so does a request for
counts.
"""

from typing import Any

import numpy as np

from numformats.backends import select
from numformats.backends.task import DrawTask
from numformats.block_tasks import block_task
from numformats.blocking import geometry, scales_shape
from numformats.device import DeviceArray
from numformats.device_libraries import Library, carrier_of, flat, library
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import CARRIERS, LANE32, Carrier
from numformats.random import Key
from numformats.request import Request, request
from numformats.tasks import check_drawable, code_dtype, draw_grid, fits, scalar_task

_NO_SCALES = DeviceArray(0, 0, np.uint8, 0, 0, None)


def quantize(
    x: Any,
    fmt: Format,
    rounding: str,
    key: Key | None,
    random_bits: int | None,
    backend: str,
    out: Any,
) -> Any:
    """``numformats.quantize`` on a device."""
    found, given = library(x)
    carrier = _carrier(found, given)
    wanted = request(rounding, key, random_bits, carrier.lane)
    _refuse_float_scales(fmt)
    if isinstance(fmt, BlockFloat):
        geometry(fmt, tuple(given.shape))
    target = given if out is x else _target(found, out, given, carrier)
    module = select(backend, "cuda")
    if 0 in given.shape:
        return target
    source, result = _places(found, given, target)
    bits, made = flat(found, source, carrier.stored), flat(found, result, carrier.stored)
    _round(bits, made, _NO_SCALES, tuple(given.shape), carrier, fmt, wanted, module, False)
    if result is not target:
        found.assign(target, result)
    return target if out is None else out


def _carrier(found: Library, x: Any, name: str = "x") -> Carrier:
    carrier = carrier_of(found, x, name)
    if getattr(x, "requires_grad", False) and found.grad_enabled():
        raise ValueError(
            f"{name} requires grad, and rounding would silently cut the graph; write "
            f"{name}.detach(), or call under torch.no_grad()"
        )
    return carrier


def _refuse_float_scales(fmt: Format) -> None:
    if isinstance(fmt, BlockFloat) and not fmt.power_of_two_scale:
        raise ValueError(
            f"{fmt} has scales that are not powers of two, which no CUDA backend rounds yet; move "
            "x to the host first (cupy.asnumpy(x), torch x.cpu())"
        )


def _target(found: Library, out: Any, x: Any, carrier: Carrier) -> Any:
    """Where the result goes: ``out`` after checking that it matches ``x``, or a new array."""
    shape = tuple(x.shape)
    if out is None:
        return found.empty(shape, found.dtype(x), x)
    other, target = library(out)
    got = (type(other), tuple(target.shape), other.dtype(target), other.device(target))
    want = (type(found), shape, carrier.name, found.device(x))
    if got != want:
        names = ("kind", "shape", "dtype", "device")
        differ = ", ".join(
            f"{n} {g} instead of {w}" for n, g, w in zip(names, got, want, strict=True) if g != w
        )
        raise ValueError(
            f"out does not match x: {differ}; write out=cupy.empty_like(x) or torch.empty_like(x)"
        )
    return target


def _places(found: Library, x: Any, target: Any) -> tuple[Any, Any]:
    """A compact source and a compact result that do not overlap unless they are one."""
    source = x if found.contiguous(x) else found.compact(x)
    if not found.contiguous(target) or _overlap(found, source, target):
        return source, found.empty(tuple(x.shape), found.dtype(x), x)
    return source, target


def _overlap(found: Library, x: Any, y: Any) -> bool:
    a, b = found.pointer(x), found.pointer(y)
    size = CARRIERS[found.dtype(x)].stored().itemsize * int(np.prod(tuple(x.shape)))
    return a != b and abs(a - b) < size


def _round(
    bits: DeviceArray,
    out: DeviceArray,
    scales: DeviceArray,
    shape: tuple[int, ...],
    carrier: Carrier,
    fmt: Format,
    wanted: Request,
    module: Any,
    encode: bool,
) -> None:
    if isinstance(fmt, BlockFloat):
        module.blocks(block_task(bits, out, scales, shape, carrier, fmt, wanted, encode=encode))
    else:
        module.scalar(scalar_task(bits, out, carrier, fmt, wanted, encode=encode))


def encode(
    x: Any, fmt: Format, rounding: str, key: Key | None, random_bits: int | None, backend: str
) -> Any:
    """``numformats.encode`` on a device: codes, and scales or None."""
    found, given = library(x)
    _refuse_float_scales(fmt)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    carrier = _carrier(found, given)
    if carrier.lane is LANE32 and not fits(element, LANE32):
        given, carrier = found.astype(given, "float64"), CARRIERS["float64"]
    wanted = request(rounding, key, random_bits, carrier.lane)
    module = select(backend, "cuda")
    _refuse_nan(found, given, fmt)
    shape, source = tuple(given.shape), found.compact(given)
    codes = found.empty(shape, code_dtype(element.bits).name, given)
    levels = None
    if isinstance(fmt, BlockFloat):
        levels = found.empty(scales_shape(fmt, shape), code_dtype(fmt.scale.bits).name, given)
    if 0 not in shape:
        bits = flat(found, source, carrier.stored)
        made = flat(found, codes, code_dtype(element.bits).type)
        scales = _NO_SCALES
        if isinstance(fmt, BlockFloat):
            scales = flat(found, levels, code_dtype(fmt.scale.bits).type)
        else:
            carrier = carrier.whole_lane()
        _round(bits, made, scales, shape, carrier, fmt, wanted, module, True)
    return codes, levels


def _refuse_nan(found: Library, x: Any, fmt: Format) -> None:
    blocks = isinstance(fmt, BlockFloat)
    holder = fmt.scale if isinstance(fmt, BlockFloat) else fmt
    wraps = isinstance(fmt, FixedPoint) and fmt.overflow == "wrap"
    if not holder.has_nan and found.any_nan(x, inf_too=blocks or wraps):
        what = "NaN or Inf" if blocks or wraps else "NaN"
        raise ValueError(
            f"x holds {what}, and {fmt} has no code for it; replace it first, for example with "
            "nan_to_num(x)"
        )


def variance_corrected(
    mean: Any,
    variance: Any,
    fmt: Format,
    key: Key | None,
    return_counts: bool,
    backend: str,
    out: Any,
) -> Any:
    """``numformats.variance_corrected`` on a device, for formats that are no blocks: the draw, and
    what ``DrawCounts`` takes."""
    found, given = library(mean)
    carrier = _carrier(found, given, "mean")
    request("stochastic", key, None, carrier.lane)
    assert key is not None
    check_drawable(fmt)
    if isinstance(fmt, BlockFloat):
        raise ValueError(
            f"{fmt} is a block format, which no CUDA backend draws yet; move mean to the host "
            "first (cupy.asnumpy(mean), torch mean.cpu())"
        )
    several = not np.isscalar(variance)
    if several and tuple(variance.shape) != tuple(given.shape):
        raise ValueError(
            f"variance has shape {tuple(variance.shape)}, mean {tuple(given.shape)}; give a number "
            "or equal shapes"
        )
    if not several and not (np.isfinite(variance) and variance >= 0):
        raise ValueError(f"variance is {variance}; it must be finite and >= 0")
    target = _target(found, out, given, carrier)
    module = select(backend, "cuda")
    counts = (0, 0)
    if 0 not in given.shape:
        counts = _draw(found, given, variance, fmt, carrier, key, target, module, return_counts)
    drawn = target if out is None else out
    return drawn, (int(np.prod(tuple(given.shape))), *counts)


def _draw(
    found: Library,
    mean: Any,
    variance: Any,
    fmt: FixedPoint | Float,
    carrier: Carrier,
    key: Key,
    target: Any,
    module: Any,
    counted: bool,
) -> tuple[int, int]:
    real = "float64" if carrier.name == "float64" else "float32"
    wide = found.compact(mean if carrier.name == real else found.astype(mean, real))
    direct = carrier.name == real and found.contiguous(target)
    drawn = target if direct else found.empty(tuple(mean.shape), real, mean)
    spread: Any = np.array([variance], np.float64)
    if not np.isscalar(variance):
        spread = flat(found, found.compact(found.astype(variance, "float64")), np.float64)
    task = DrawTask(
        flat(found, wide, np.dtype(real).type),
        spread,
        flat(found, drawn, np.dtype(real).type),
        key.words,
        key.fold(1).words,
        key.start,
        draw_grid(fmt, carrier),
        counted,
    )
    counts: tuple[int, int] = module.draws(task)
    if not direct:
        found.assign(target, drawn if carrier.name == real else found.astype(drawn, carrier.name))
    return counts
