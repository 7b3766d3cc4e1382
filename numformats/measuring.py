"""What a format does to data: its values, the spacing at a point, the error of rounding an
array.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from numformats.arrays import host, like
from numformats.blocking import geometry, spread
from numformats.coding import encode
from numformats.decoding import decode
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.halves import values_of
from numformats.naming import parse
from numformats.quantizing import quantize
from numformats.random import Key

PIECE = 1 << 15  #: elements that errors are counted in at a time, within a near cache


def values(fmt: FormatLike) -> Any:
    """The distinct finite values of a format (of the elements, for block formats), ascending, in
    float64. Promise: exact.

    Raises:
        ValueError: more than 16 bits (too many to list), or values that float64 lacks.

    Example:
        >>> values("e2m1")[8:]
        array([0.5, 1. , 1.5, 2. , 3. , 4. , 6. ])
    """
    fmt = parse(fmt)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    if element.bits > 16:
        raise ValueError(
            f"{fmt} has {element.bits} bits, too many values to list (16 at most); use "
            f"fmt.value(code)"
        )
    all_values = decode(np.arange(1 << element.bits), element, dtype=np.float64)
    finite = all_values[np.isfinite(all_values)]
    if isinstance(element, FixedPoint):
        finite = finite[finite >= float(element.min)]
    return np.unique(finite + 0.0)


@np.errstate(all="ignore")
def spacing(x: Any, fmt: FormatLike) -> Any:
    """The gap between the neighbours of ``fmt`` at ``x``: to the next value of larger magnitude
    (ulp).

    Args:
        x: float array or CPU tensor.
        fmt: a format or its name; in block formats the scale of each element's block counts.

    Returns:
        Like ``x``. At and beyond the largest value the gap of the last interval; NaN and Inf give
        NaN. Promise: exact where the carrier holds the gap.
    """
    fmt, source = parse(fmt), host(x)
    element = fmt.element if isinstance(fmt, BlockFloat) else fmt
    size = np.abs(values_of(source).astype(np.float64))
    scale: Any = 1.0
    if isinstance(fmt, BlockFloat) and size.size:
        scale = _element_scales(x, fmt, source.shape)
    gap = _gap(np.where(scale == 0.0, 0.0, size / scale), element) * scale
    gap = np.where(np.isfinite(size), gap, np.nan)
    if source.carrier.name == "bfloat16":
        bits = (gap.astype(np.float32).view(np.uint32) >> np.uint32(16)).astype(np.uint16)
        return like(x, source, bits)
    return like(x, source, gap.astype(source.view.dtype))


def _within_float64(x: float | Fraction) -> float:
    """``x``, or the largest float64 of its sign."""
    limit = float(np.finfo(np.float64).max)
    return float(max(min(x, limit), -limit))


def _gap(size: Any, fmt: FixedPoint | Float) -> Any:
    if isinstance(fmt, FixedPoint):
        return np.full(size.shape, float(fmt.quantum))
    finite = np.minimum(size, _within_float64(fmt.max))
    exponent = np.where(finite > 0, np.maximum(np.frexp(finite)[1] - 1, fmt.emin), fmt.emin)
    normal = np.ldexp(1.0, exponent - fmt.man_bits)
    low = np.ldexp(1.0, fmt.low_exponent)
    return np.where(finite < np.ldexp(1.0, fmt.emin), low, normal)


def _element_scales(x: Any, fmt: BlockFloat, shape: tuple[int, ...]) -> Any:
    codes = encode(x, fmt)
    levels = np.asarray(decode(codes.scales, fmt.scale, dtype=np.float64))
    levels = levels * (codes.tensor_scale if fmt.tensor_scale else 1.0)
    g = geometry(fmt, shape)
    return spread(levels.reshape(g.scales_shape), g.shape, g.tile).reshape(shape)


@dataclass(frozen=True)
class Error:
    """Rounding error of an array. Shares are of all elements; NaN and Inf elements count in
    ``non_finite`` only.
    """

    sqnr: float  #: signal to quantization noise, dB; inf where rounding changed nothing
    max_relative: float  #: largest |rounded - x| / |x| over x != 0
    max_absolute: float
    saturated: float  #: share beyond the format's (or block's) largest value
    flushed: float  #: share of nonzero elements that became zero
    non_finite: float  #: share of NaN and Inf in the input


class Tally:
    """The rounding error of many arrays, or of one array in pieces, summed in float64."""

    def __init__(self, fmt: FormatLike) -> None:
        self.fmt = parse(fmt)
        self.elements = self.flushed = self.non_finite = self.saturated = 0
        self.signal = self.noise = self.max_relative = self.max_absolute = 0.0

    def add(self, x: Any, rounded: Any) -> None:
        """Count ``x``, which ``quantize`` made ``rounded``."""
        new, exact = (values_of(host(v)).reshape(-1) for v in (rounded, x))
        for at in range(0, exact.size, PIECE):
            piece = slice(at, at + PIECE)
            self._count(exact[piece].astype(np.float64), new[piece].astype(np.float64))
        self.elements += exact.size
        self.saturated += self.beyond(x) if exact.size else 0

    @np.errstate(all="ignore")
    def _count(self, exact: Any, new: Any) -> None:
        finite = np.isfinite(exact)
        good = finite & np.isfinite(new)
        self.non_finite += exact.size - int(np.count_nonzero(finite))
        if not good.all():
            exact, new = exact[good], new[good]
        noise, size = np.abs(new - exact), np.abs(exact)
        self.signal += float(np.sum(size * size))
        self.noise += float(np.sum(noise * noise))
        self.max_absolute = max(self.max_absolute, float(np.max(noise, initial=0.0)))
        zero = size == 0.0
        self.flushed += int(np.count_nonzero((new == 0.0) & ~zero))
        size[zero] = np.inf  # has no relative error
        self.max_relative = max(self.max_relative, float(np.max(noise / size, initial=0.0)))

    def beyond(self, x: Any) -> int:
        """How many finite elements of ``x`` lie beyond the largest value of the format, or of their
        block."""
        return _saturated(x, self.fmt)

    @property
    def sqnr(self) -> float:
        """Signal to quantization noise, dB; inf where rounding changed nothing."""
        if not self.noise:
            return float(np.inf)
        ratio = self.signal / self.noise
        return 10.0 * float(np.log10(ratio)) if ratio else -float(np.inf)

    @property
    def error(self) -> Error:
        """What was counted.

        Raises:
            ValueError: nothing was.
        """
        if self.elements == 0:
            raise ValueError("x is empty; an error needs at least one element")
        shares = (n / self.elements for n in (self.saturated, self.flushed, self.non_finite))
        return Error(self.sqnr, self.max_relative, self.max_absolute, *shares)


def error(
    x: Any,
    fmt: FormatLike,
    rounding: str = "nearest_even",
    *,
    key: Key | int | None = None,
    backend: str = "auto",
) -> Error:
    """Measure what ``quantize`` does to ``x``, with the same arguments. Promise: sums in float64,
    whose last digits may differ between machines (a tolerance).

    Raises:
        TypeError, ValueError: as ``quantize``; an empty array, or one on a device.
    """
    tally = Tally(fmt)
    tally.add(x, quantize(x, tally.fmt, rounding, key=key, backend=backend))
    return tally.error


@np.errstate(invalid="ignore")  # signalling NaN
def _saturated(x: Any, fmt: Format) -> int:
    source = host(x)
    exact = values_of(source).reshape(-1)
    element, scale = fmt, np.broadcast_to(1.0, exact.shape)
    if isinstance(fmt, BlockFloat):
        element, scale = fmt.element, _element_scales(x, fmt, source.shape).reshape(-1)
    assert not isinstance(element, BlockFloat)
    largest, least, count = _within_float64(element.max), _within_float64(element.min), 0
    for at in range(0, exact.size, PIECE):
        wide, own = exact[at : at + PIECE].astype(np.float64), scale[at : at + PIECE]
        beyond = (wide > largest * own) | (wide < least * own)
        count += int(np.count_nonzero(np.isfinite(wide) & beyond))
    return count
