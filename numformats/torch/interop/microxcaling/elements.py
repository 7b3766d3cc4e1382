"""Element formats, scales and roundings of microxcaling, and what is the same here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numformats as nf
from numformats.checks import choice, integer
from numformats.formats import FixedPoint, Float

ELEMENTS: dict[str, FixedPoint | Float] = {
    "int8": FixedPoint(8, 6, symmetric=True),
    "int4": FixedPoint(4, 2, symmetric=True),
    "int2": FixedPoint(2, 0, symmetric=True),
    "fp8_e5m2": Float(5, 2),
    "fp8_e4m3": Float(4, 3, specials="fn"),
    "fp6_e3m2": Float(3, 2, specials="finite"),
    "fp6_e2m3": Float(2, 3, specials="finite"),
    "fp4": Float(2, 1, specials="finite"),
    "fp4_e2m1": Float(2, 1, specials="finite"),
    "float16": Float(5, 10),
    "fp16": Float(5, 10),
    "bfloat16": Float(8, 7),
    "bf16": Float(8, 7),
}
"""Elements of blocks by name; elements saturate."""
ROUNDINGS = {
    "nearest": "nearest_away",
    "floor": "toward_zero",
    "even": "nearest_even",
    "dither": "stochastic",
}
"""Roundings by name; ``"floor"`` is toward zero there."""


def rounding_of(name: str) -> str:
    """The name in ``nf.roundings()`` of a rounding of microxcaling.

    Raises:
        ValueError: an unknown one, with the closest match.

    Example:
        >>> rounding_of("nearest")
        'nearest_away'
    """
    choice("round", name, ROUNDINGS)
    return ROUNDINGS[name]


def element_of(name: Any) -> FixedPoint | Float:
    """The element that a name (or a member of ``ElemFormat``) stands for.

    Raises:
        ValueError: an unknown one, with the closest match.
    """
    text = str(getattr(name, "name", name)).lower()
    choice("elem_format", text, ELEMENTS)
    return ELEMENTS[text]


def block_of(
    elem_format: Any, block_size: int, axes: int | Sequence[int], scale_bits: int, method: str
) -> nf.BlockFloat:
    """The block format of these options.

    Args:
        elem_format: name of the element.
        block_size: elements that share a scale along each axis; 0: the whole axis.
        axes: one axis, or several whose tiles share a scale.
        scale_bits: of the scale, whose exponents are -(2^(b-1) - 1) to 2^(b-1) - 1; 0: 8 bits.
        method: ``"max"``; ``"none"``: a scale for every element.

    Raises:
        TypeError, ValueError: unknown names, impossible sizes.

    Example:
        >>> block_of("fp4_e2m1", 32, -1, 8, "max") == nf.MXFP4
        True
    """
    choice("shared_exp_method", method, ("max", "none"))
    integer("block_size", block_size, 0, 1 << 40)
    integer("scale_bits", scale_bits, 0, 16)
    bits = scale_bits or 8
    scale = Float(
        bits, 0, bias=(1 << bits - 1) - 1, signed=False, subnormals=False, zero=False, specials="fn"
    )
    several = (axes,) if isinstance(axes, int) else tuple(axes)
    size = 1 if method == "none" else block_size
    if len(several) == 1 or method == "none":
        return nf.BlockFloat(element_of(elem_format), size or None, scale=scale, axis=several[0])
    sizes = (size,) * len(several) if size else None
    return nf.BlockFloat(element_of(elem_format), sizes, scale=scale, axis=several)
