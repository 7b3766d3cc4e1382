"""qtorch's formats, and the formats that hold the same values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numformats as nf
from numformats.checks import flag, integer


class Number:
    """A format of qtorch: what its values are, and how it rounds to nearest."""

    nearest: ClassVar[str]  #: the mode of ``nf.roundings()`` that is qtorch's ``"nearest"``

    def format(self, ndim: int) -> nf.Format:
        """The format of a tensor with ``ndim`` dimensions."""
        raise NotImplementedError


@dataclass(frozen=True)
class FixedPoint(Number):
    """Fixed point of ``wl`` bits, ``fl`` of them behind the point: ``nf.FixedPoint(wl, fl)``.

    Args:
        wl: word length, the sign included, 1 to 32.
        fl: fraction bits, 1 or more.
        clamp: saturate; if false only the spacing 2^-fl counts, at any magnitude.
        symmetric: leave out the most negative value.

    Raises:
        TypeError, ValueError: impossible widths.

    Example:
        >>> FixedPoint(8, 4).format(1) == nf.FixedPoint(8, 4)
        True
    """

    wl: int
    fl: int
    clamp: bool = True
    symmetric: bool = False
    nearest: ClassVar[str] = "nearest_even"

    def __post_init__(self) -> None:
        integer("wl", self.wl, 1, 32)
        integer("fl", self.fl, 1, 960)
        flag("clamp", self.clamp)
        flag("symmetric", self.symmetric)

    def format(self, ndim: int) -> nf.Format:
        """Fixed point; without ``clamp`` the float whose subnormals have its spacing: above them
        float64 has no finer values either."""
        if self.clamp:
            return nf.FixedPoint(self.wl, self.fl, symmetric=self.symmetric)
        return nf.Float(11, 52, bias=self.fl - 51, specials="finite")


@dataclass(frozen=True)
class FloatingPoint(Number):
    """Floats of ``exp`` exponent and ``man`` significand bits, without Inf and NaN:
    ``nf.Float(exp, man, specials="finite")``.

    Args:
        exp: exponent bits, 1 to 8.
        man: trailing significand bits, 1 to 23.

    Raises:
        TypeError, ValueError: impossible widths.

    Example:
        >>> FloatingPoint(4, 3).format(1).max
        480.0
    """

    exp: int
    man: int
    nearest: ClassVar[str] = "nearest_away"

    def __post_init__(self) -> None:
        integer("exp", self.exp, 1, 8)
        integer("man", self.man, 1, 23)

    def format(self, ndim: int) -> nf.Format:
        """The same for every tensor."""
        return nf.Float(self.exp, self.man, specials="finite")


@dataclass(frozen=True)
class BlockFloatingPoint(Number):
    """Integers of ``wl`` bits that share the exponent of the largest:
    ``nf.BlockFloat(nf.FixedPoint(wl, wl - 2, symmetric=True), ...)``.

    Args:
        wl: bits of a mantissa, the sign included, 2 to 32.
        dim: every index along this dimension has an exponent of its own; -1: one exponent for
            the tensor (not the last dimension).

    Raises:
        TypeError, ValueError: impossible widths; a dimension that the tensor lacks.

    Example:
        >>> str(BlockFloatingPoint(8, dim=0).format(2))
        'block<fixed<8,6,symmetric=true>,block=none,axis=1x>'
    """

    wl: int
    dim: int = -1
    nearest: ClassVar[str] = "nearest_up"

    def __post_init__(self) -> None:
        integer("wl", self.wl, 2, 32)
        integer("dim", self.dim, -1, 31)

    def format(self, ndim: int) -> nf.Format:
        """Blocks over all dimensions but ``dim``."""
        element = nf.FixedPoint(self.wl, self.wl - 2, symmetric=True)
        if self.dim == -1:
            return nf.BlockFloat(element, None, axis=None)
        if self.dim >= ndim:
            raise ValueError(
                f"dim={self.dim} of a tensor with {ndim} dimensions; write -1 (one exponent for "
                f"the tensor) or a dimension below {ndim}"
            )
        others = tuple(axis for axis in range(ndim) if axis != self.dim)
        if not others:
            return nf.BlockFloat(element, 1)
        return nf.BlockFloat(element, None, axis=others)
