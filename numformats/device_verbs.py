"""``quantize`` and ``encode`` of arrays on CUDA devices.

Nothing is copied between devices or to the host, and nothing waits for the device, with two
exceptions: encoding into a format without NaN asks whether there is one (of Numba arrays on the
host), and encoding with a scale for the whole array reads that scale.
"""

from typing import Any

from numformats.backends import select
from numformats.block_tasks import block_task, rounding_lane, scaled_task
from numformats.blocking import geometry, scales_shape
from numformats.device import DeviceArray
from numformats.device_libraries import Library, flat, flats, library
from numformats.device_places import (
    NOTHING,
    carrier_for,
    flat_reals,
    places,
    put,
    real_places,
    reals,
    target_for,
)
from numformats.formats import BlockFloat, FixedPoint, Format
from numformats.lanes import CARRIERS, LANE32, Carrier
from numformats.random import Key
from numformats.request import Request, request
from numformats.tasks import code_dtype, fits, scalar_task


def quantize(
    x: Any,
    fmt: Format,
    rounding: str,
    key: Key | None,
    random_bits: int | None,
    whole: float,
    backend: str,
    out: Any,
) -> Any:
    """``numformats.quantize`` on a device."""
    found, given = library(x)
    carrier = carrier_for(found, given)
    wanted = request(rounding, key, random_bits, rounding_lane(fmt, carrier, rounding), whole)
    if isinstance(fmt, BlockFloat):
        geometry(fmt, tuple(given.shape))
    target = given if out is x else target_for(found, out, given, carrier)
    module = select(backend, "cuda")
    if 0 in given.shape:
        return target
    if isinstance(fmt, BlockFloat) and not fmt.power_of_two_scale:
        source, result = real_places(found, given, target, carrier)
        bits, made = flat_reals(found, source), flat_reals(found, result)
        shape = tuple(given.shape)
        module.scaled(scaled_task(bits, made, NOTHING, shape, fmt, wanted, encode=False))
        put(found, target, result, carrier, module)
        return target if out is None else out
    source, result = places(found, given, target)
    bits, made = flats(found, carrier.stored, source, result)
    _round(bits, made, NOTHING, tuple(given.shape), carrier, fmt, wanted, module, False)
    if result is not target:
        found.assign(target, result)
    return target if out is None else out


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
    x: Any,
    fmt: Format,
    rounding: str,
    key: Key | None,
    random_bits: int | None,
    whole: float,
    backend: str,
) -> Any:
    """``numformats.encode`` on a device: codes; of blocks with scales, and with the scale of the
    whole array where there is one."""
    found, given = library(x)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    carrier = carrier_for(found, given)
    if carrier.lane is LANE32 and not fits(element, LANE32):
        given, carrier = found.astype(given, "float64"), CARRIERS["float64"]
    wanted = request(rounding, key, random_bits, rounding_lane(fmt, carrier, rounding), whole)
    module = select(backend, "cuda")
    _refuse_nan(found, given, fmt)
    codes = found.empty(tuple(given.shape), code_dtype(element.bits).name, given)
    if isinstance(fmt, BlockFloat):
        return _encode_blocks(found, given, fmt, carrier, wanted, module, codes)
    if 0 not in given.shape:
        bits = flat(found, found.compact(given), carrier.stored)
        made = flat(found, codes, code_dtype(element.bits).type)
        _round(bits, made, NOTHING, tuple(given.shape), carrier, fmt, wanted, module, True)
    return codes


def _encode_blocks(
    found: Library,
    x: Any,
    fmt: BlockFloat,
    carrier: Carrier,
    wanted: Request,
    module: Any,
    codes: Any,
) -> tuple[Any, ...]:
    shape, kind = tuple(x.shape), code_dtype(fmt.scale.bits)
    levels = found.empty(scales_shape(fmt, shape), kind.name, x)
    second = wanted.tensor_scale or 1.0
    if 0 not in shape:
        made = flat(found, codes, code_dtype(fmt.element.bits).type)
        scales = flat(found, levels, kind.type)
        if fmt.power_of_two_scale:
            bits = flat(found, found.compact(x), carrier.stored)
            _round(bits, made, scales, shape, carrier, fmt, wanted, module, True)
        else:
            wide = flat_reals(found, reals(found, x, carrier))
            task = scaled_task(wide, made, scales, shape, fmt, wanted, encode=True)
            second = module.scaled(task)
    return (codes, levels, second) if fmt.tensor_scale else (codes, levels)


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
