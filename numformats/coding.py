"""``encode``: values to stored codes."""

from dataclasses import replace
from typing import Any

import numpy as np

from numformats import device_verbs
from numformats.arrays import Host, as_kind, host
from numformats.backends import select
from numformats.block_tasks import block_task, rounding_lane
from numformats.blocking import scales_shape
from numformats.blocks import BlockCodes, ScaledBlockCodes
from numformats.device import on_device
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, FixedPoint, Format
from numformats.halves import values_of
from numformats.lanes import CARRIERS, LANE32
from numformats.naming import parse
from numformats.random import Key, as_key
from numformats.request import Request, given_scale, request
from numformats.scaled_blocks import encode_scaled
from numformats.tasks import code_dtype, fits, scalar_task


def check_codes(codes: Any, bits: int, fmt: FormatLike) -> None:
    """Codes are integers of at most ``bits`` bits.

    Raises:
        TypeError: another dtype.
        ValueError: a code out of range.
    """
    if codes.dtype.kind not in "ui":
        raise TypeError(
            f"codes have dtype {codes.dtype}; give the unsigned integers that encode returned"
        )
    if codes.size and (int(codes.max()) >> bits or int(codes.min()) < 0):
        raise ValueError(
            f"codes lie in [{codes.min()}, {codes.max()}]; those of {fmt} are below {1 << bits}"
        )


def encode(
    x: Any,
    fmt: FormatLike,
    rounding: str = "nearest_even",
    *,
    key: Key | int | None = None,
    random_bits: int | None = None,
    tensor_scale: float | None = None,
    backend: str = "auto",
) -> Any:
    """Round ``x`` to ``fmt`` and return the stored codes.

    Args:
        x: float array of any shape, on the host or on a CUDA device, as in ``quantize``.
        fmt: a format or its name.
        rounding: a name in ``nf.roundings()``.
        key: needed by stochastic modes, as in ``quantize``.
        random_bits: N of the N-bit stochastic modes.
        tensor_scale: as in ``quantize``.
        backend: ``"auto"`` or a name in ``nf.backends()``.

    Returns:
        Unsigned integers in the shape of ``x``, in the smallest dtype that holds ``fmt.bits``.
        Block formats give ``BlockCodes(codes, scales)``, two-level ones ``ScaledBlockCodes(codes,
        scales, tensor_scale)``; the blocked axes of ``scales`` count blocks. Formats with values
        that float32 lacks are rounded in float64, so that saturation reaches the format's own
        maximum. Promise: bit-identical, and ``decode(encode(x)) == quantize(x)``
        wherever the carrier of ``x`` holds the format's range.

    Raises:
        ValueError: NaN (or Inf in a block) where the format has no code for NaN; and as
            ``quantize``.

    Example:
        >>> encode(np.float32([1.0, -448.0, np.nan]), "e4m3")
        array([ 56, 254, 127], dtype=uint8)
    """
    fmt = parse(fmt)
    whole = given_scale(fmt, tensor_scale)
    if on_device(x):
        found = device_verbs.encode(x, fmt, rounding, as_key(key), random_bits, whole, backend)
        if not isinstance(fmt, BlockFloat):
            return found
        return ScaledBlockCodes(*found) if fmt.tensor_scale else BlockCodes(*found)
    source = host(x)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    if source.carrier.lane is LANE32 and not fits(element, LANE32):
        source = replace(source, view=_widened(source), carrier=CARRIERS["float64"])
    lane = rounding_lane(fmt, source.carrier, rounding)
    wanted = request(rounding, as_key(key), random_bits, lane, whole)
    module = select(backend)
    _refuse_nan(source, fmt)
    if isinstance(fmt, BlockFloat):
        return _encode_blocks(source, fmt, wanted, module)
    codes = np.empty(source.shape, code_dtype(fmt.bits))
    if codes.size:
        bits = np.ascontiguousarray(source.view).reshape(-1).view(source.carrier.stored)
        module.scalar(
            scalar_task(bits, codes.reshape(-1), source.carrier, fmt, wanted, encode=True)
        )
    return as_kind(source, codes)


@np.errstate(invalid="ignore")  # signalling NaN
def _widened(source: Host) -> Any:
    return values_of(source).astype(np.float64)


def _refuse_nan(source: Host, fmt: Format) -> None:
    blocks = isinstance(fmt, BlockFloat)
    holder = fmt.scale if isinstance(fmt, BlockFloat) else fmt
    wraps = isinstance(fmt, FixedPoint) and fmt.overflow == "wrap"
    if holder.has_nan:
        return
    lane = source.carrier.lane
    top = {"float16": 0x7C00, "bfloat16": 0x7F80}.get(source.carrier.name, lane.inf)
    bits = np.ascontiguousarray(source.view).reshape(-1).view(source.carrier.stored)
    mask = source.carrier.stored(top | (top - 1))
    for at in range(0, bits.size, 1 << 16):
        piece = bits[at : at + (1 << 16)] & mask
        bad = piece >= top if blocks or wraps else piece > top
        if bad.any():
            where = at + int(np.argmax(bad))
            what = "NaN or Inf" if blocks or wraps else "NaN"
            raise ValueError(
                f"x holds {what} at flat index {where}, and {fmt} has no code for it; replace it "
                f"first, for example "
                "with numpy.nan_to_num(x)"
            )


def _encode_blocks(source: Host, fmt: BlockFloat, wanted: Request, module: Any) -> Any:
    codes = np.zeros(source.shape, code_dtype(fmt.element.bits))
    levels = np.zeros(scales_shape(fmt, source.shape), code_dtype(fmt.scale.bits))
    second = wanted.tensor_scale or 1.0
    flat, flat_scales = codes.reshape(-1), levels.reshape(-1)
    if not fmt.power_of_two_scale:
        second = encode_scaled(source, fmt, wanted, module, flat, flat_scales)
    elif codes.size:
        bits = np.ascontiguousarray(source.view).reshape(-1).view(source.carrier.stored)
        task = block_task(
            bits, flat, flat_scales, source.shape, source.carrier, fmt, wanted, encode=True
        )
        module.blocks(task)
    codes, levels = as_kind(source, codes), as_kind(source, levels)
    return (
        ScaledBlockCodes(codes, levels, second) if fmt.tensor_scale else BlockCodes(codes, levels)
    )
