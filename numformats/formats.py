"""Number formats as frozen, validated data: fixed point, small floats, block floats."""

from typing import TypeAlias

from numformats.block_float import BlockFloat
from numformats.fixed_point import FixedPoint
from numformats.small_float import Float

Format: TypeAlias = FixedPoint | Float | BlockFloat
Scalar: TypeAlias = FixedPoint | Float

__all__ = ["BlockFloat", "FixedPoint", "Float", "Format", "Scalar"]
