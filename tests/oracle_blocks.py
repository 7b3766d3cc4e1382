"""Block formats in exact rationals: OCP MX 1.0 section 6.3, classic block floating point, NVFP4."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np

from tests import oracle
from tests.oracle import Coin, floor_log2, pow2


def element_emax(element: Any) -> int:
    """Exponent of the largest element value."""
    return floor_log2(oracle.bounds(element)[1])


def rounded_amax(amax: Fraction, man_bits: int) -> Fraction:
    """``amax`` with its mantissa rounded to ``man_bits`` bits, half up."""
    gap = pow2(floor_log2(amax) - man_bits)
    return (amax / gap + Fraction(1, 2)) // 1 * gap


def ceil_log2(a: Fraction) -> int:
    e = floor_log2(a)
    return e if pow2(e) == a else e + 1


def scale_exponent(amax: Fraction, fmt: Any) -> int:
    """Exponent of the power-of-two scale that the rule asks for, not yet clamped."""
    emax, largest = element_emax(fmt.element), oracle.bounds(fmt.element)[1]
    if fmt.scale_rule == "floor":
        return floor_log2(amax) - emax
    if fmt.scale_rule == "ceil":
        return ceil_log2(amax) - emax
    if fmt.scale_rule == "rceil":
        return ceil_log2(amax / largest)
    element = fmt.element
    fixed = oracle.is_fixed(element)
    man_bits = element.word_bits - int(element.signed) - 1 if fixed else element.man_bits
    return floor_log2(rounded_amax(amax, man_bits)) - emax


def power_scale(amax: Fraction, fmt: Any) -> Fraction:
    """The power-of-two scale of a block, clamped into the scale format."""
    low = smallest_positive(fmt.scale)
    if amax == 0:
        return low
    high = oracle.bounds(fmt.scale)[1]
    return min(max(pow2(scale_exponent(amax, fmt)), low), high)


def smallest_positive(fmt: Any) -> Fraction:
    return oracle.magnitude(fmt, 0 if not fmt.zero else 1 if fmt.subnormals else 1 << fmt.man_bits)


def fine_scale(amax: Fraction, fmt: Any, tensor_scale: Fraction) -> Fraction:
    """A scale with significand bits (NVFP4): amax/element.max/tensor_scale in the scale format."""
    direction = {"even": "nearest_even", "floor": "toward_zero"}
    mode = direction.get(fmt.scale_rule, "toward_positive")
    wanted = amax / oracle.bounds(fmt.element)[1] / tensor_scale
    rounded = oracle.round_unbounded(fmt.scale, wanted, mode) if wanted else Fraction(0)
    return min(rounded, oracle.bounds(fmt.scale)[1])


def nearest_float32(a: Fraction) -> Fraction:
    """``a >= 0`` rounded to nearest-even float32."""
    if a == 0:
        return a
    gap = pow2(max(floor_log2(a), -126) - 23)
    return round(a / gap) * gap


def to_carrier(a: Fraction, carrier: str) -> Fraction:
    """``a`` rounded to nearest-even in the carrier."""
    if a == 0:
        return a
    man_bits, emax = oracle.CARRIERS[carrier]
    gap = pow2(max(floor_log2(abs(a)), 1 - emax) - man_bits)
    return round(a / gap) * gap


def to_odd_float32(a: Fraction) -> Fraction:
    """``a`` where float32 holds it, else its neighbour there with an odd last bit (docs/decisions/
    0026)."""
    if a == 0:
        return a
    gap = pow2(max(floor_log2(abs(a)), -126) - 23)
    whole = abs(a) // gap
    odd = whole | int(whole * gap != abs(a))
    return odd * gap if a > 0 else -odd * gap


def tensor_scale_of(values: np.ndarray, fmt: Any) -> Fraction:
    """NVFP4's second level: amax of the tensor over the largest representable, as float32."""
    amax = max((abs(Fraction(v)) for v in values.ravel().tolist()), default=Fraction(0))
    span = oracle.bounds(fmt.scale)[1] * oracle.bounds(fmt.element)[1]
    return nearest_float32(amax / span)


def blocks_of(shape: tuple[int, ...], fmt: Any) -> Iterator[list[tuple[int, ...]]]:
    """Index tuples of each block, in C order of the blocks."""
    axes = fmt.axis if isinstance(fmt.axis, tuple) else (fmt.axis,)
    axes = tuple(range(len(shape))) if fmt.axis is None else tuple(a % len(shape) for a in axes)
    given = fmt.block_size if isinstance(fmt.block_size, tuple) else (fmt.block_size,) * len(axes)
    sizes = [1] * len(shape)
    for axis, size in zip(axes, given, strict=True):
        sizes[axis] = shape[axis] if size is None else size
    starts = [range(0, n, size) for n, size in zip(shape, sizes, strict=True) if size or n]
    for start in itertools.product(*starts):
        spans = [range(s, min(s + size, n)) for s, size, n in zip(start, sizes, shape, strict=True)]
        yield list(itertools.product(*spans))


def element_times_scale(
    v: float, scale: Fraction, fmt: Any, mode: str, coin: Coin | None, carrier: str
) -> float:
    """One element: divide, round, clamp into the element's range, multiply back."""
    negative = math.copysign(1.0, v) < 0
    if scale == 0:
        return -0.0 if negative and oracle.has_negative_zero(fmt.element) else 0.0
    x = Fraction(v) / scale
    if mode == "stochastic" and fmt.scale.man_bits:  # of all bits; N-bit modes see the quotient
        x = to_odd_float32(x)
    # "float64" so that only the product, not the element, meets the carrier's range
    q = oracle.quantize_exact(x, fmt.element, mode, coin, "float64", negative)
    if q == 0 or math.isnan(q):
        return q
    exact = abs(Fraction(q)) * scale
    man_bits, emax = oracle.CARRIERS[carrier]
    top = (2 - pow2(-man_bits)) * pow2(emax)  # the largest that the carrier holds
    if exact > top:
        exact = oracle.step_at(fmt.element, top / scale).lower * scale
    if not fmt.scale.man_bits:  # the largest elements may need more bits than the carrier has
        return math.copysign(float(oracle.in_carrier(exact, carrier)), q)
    return math.copysign(float(to_carrier(exact, carrier)), q)


def quantize(
    x: np.ndarray,
    fmt: Any,
    mode: str = "nearest_even",
    coins: list[Coin] | None = None,
    carrier: str = "float32",
    tensor_scale: float | None = None,
) -> np.ndarray:
    """``x`` in the block format, as float64; ``tensor_scale``: a float32 given for it."""
    x64 = np.asarray(x).astype(np.float64)
    out = np.zeros(x64.shape)
    flat = np.arange(x64.size).reshape(x64.shape)
    fine = bool(fmt.scale.man_bits)
    broken = not np.isfinite(x64).all()
    second = Fraction(1)
    if tensor_scale is not None:
        second, broken = Fraction(tensor_scale), False
    elif fmt.tensor_scale and not broken:
        second = tensor_scale_of(x64, fmt)
    for block in blocks_of(x64.shape, fmt):
        values = [float(x64[i]) for i in block]
        if (fmt.tensor_scale and broken) or not all(map(math.isfinite, values)):
            for i in block:
                out[i] = math.nan
            continue
        amax = max(abs(Fraction(v)) for v in values)
        if fine:
            scale = fine_scale(amax, fmt, second) * second if second else Fraction(0)
        else:
            scale = power_scale(amax, fmt)
        for i, v in zip(block, values, strict=True):
            coin = coins[int(flat[i])] if coins is not None else None
            out[i] = element_times_scale(v, scale, fmt, mode, coin, carrier)
    return out
