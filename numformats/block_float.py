"""Block floats: elements that share a scale."""

from dataclasses import dataclass, field
from fractions import Fraction
from math import prod

from numformats.checks import choice, flag, integer
from numformats.fixed_point import FixedPoint
from numformats.named import Named, Number, as_number
from numformats.small_float import E8M0, Float

SCALE_RULES = ("floor", "ceil", "rceil", "even")


@dataclass(frozen=True)
class BlockFloat(Named):
    """Blocks of elements that share a scale.

    Args:
        element: ``FixedPoint`` (mantissas of classic block floating point, MXINT8) or ``Float``
            (MX, NVFP4).
        block_size: elements a block; ``None`` for the whole axis; a tuple for tiles along several
            axes.
        scale: an unsigned or signed ``Float`` for the scales; only its positive values are used.
        axis: the axis (or axes, as a tuple) along which blocks run; ``None`` with
            ``block_size=None`` is the whole array.
        scale_rule: ``"floor"`` (OCP), ``"ceil"``, ``"rceil"``, ``"even"``.
        tensor_scale: a second, float32 scale for the whole array (NVFP4).

    The last block of an axis may be shorter. ``docs/formats.md`` has the rules of scales.

    Raises:
        TypeError, ValueError: elements that wrap around or lack zero, sizes and axes of different
            numbers, ``tensor_scale`` beside scales that are powers of two, unknown names.
    """

    element: FixedPoint | Float
    block_size: int | tuple[int, ...] | None
    scale: Float = field(default_factory=lambda: E8M0, kw_only=True)
    axis: int | tuple[int, ...] | None = field(default=-1, kw_only=True)
    scale_rule: str = field(default="floor", kw_only=True)
    tensor_scale: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.element, (FixedPoint, Float)):
            raise TypeError(f"element is {self.element!r}; give a FixedPoint or a Float")
        if not isinstance(self.scale, Float):
            raise TypeError(f"scale is {self.scale!r}; give a Float, for example nf.E8M0")
        choice("scale_rule", self.scale_rule, SCALE_RULES)
        flag("tensor_scale", self.tensor_scale)
        self._check_axes()
        if isinstance(self.element, Float) and not self.element.zero:
            raise ValueError(
                f"element {self.element} has no zero, and an all-zero block could not be stored"
            )
        if isinstance(self.element, FixedPoint) and self.element.overflow == "wrap":
            raise ValueError(
                "element wraps around; elements of a block saturate: use overflow='saturate'"
            )
        if self.tensor_scale and self.power_of_two_scale:
            raise ValueError(
                f"tensor_scale=True needs a scale with man_bits > 0, scale is {self.scale}"
            )

    def _check_axes(self) -> None:
        sizes = self.block_size if isinstance(self.block_size, tuple) else (self.block_size,)
        for size in sizes:
            if size is not None:
                integer("block_size", size, 1, 1 << 40)
        axes = self.axis if isinstance(self.axis, tuple) else (self.axis,)
        for axis in axes:
            if axis is not None:
                integer("axis", axis, -32, 31)
        if len(sizes) != len(axes) and self.block_size is not None:
            raise ValueError(
                f"block_size={self.block_size!r} and axis={self.axis!r} differ in length; "
                "give one size an axis, for example block_size=(16, 16), axis=(-2, -1)"
            )
        if self.axis is None and self.block_size is not None:
            raise ValueError("axis=None means one block for the whole array; write block_size=None")

    @property
    def power_of_two_scale(self) -> bool:
        """Whether every scale is a power of two."""
        return self.scale.man_bits == 0

    @property
    def bits(self) -> int:
        """Stored bits of one element, without its share of the scale."""
        return self.element.bits

    @property
    def bits_per_value(self) -> float:
        """Stored bits a value, the scale shared by a full block included (``block_size=None``:
        without it)."""
        if self.block_size is None:
            return float(self.element.bits)
        sizes = self.block_size if isinstance(self.block_size, tuple) else (self.block_size,)
        return self.element.bits + self.scale.bits / prod(sizes)

    @property
    def element_emax(self) -> int:
        """Exponent of the largest element: the OCP ``emax_elem``."""
        if isinstance(self.element, Float):
            return self.element.emax
        return self.element.max_code.bit_length() - 1 - self.element.frac_bits

    @property
    def max(self) -> Number:
        """Largest value of any block (without the tensor scale)."""
        return as_number(Fraction(self.element.max) * self.scale.exact_max)

    @property
    def min(self) -> Number:
        """Smallest value of any block."""
        return as_number(Fraction(self.element.min) * self.scale.exact_max)

    @property
    def code_count(self) -> int:
        """Number of element codes."""
        return self.element.code_count
