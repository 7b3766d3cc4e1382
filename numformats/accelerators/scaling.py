"""How tensors are scaled before they are stored: one scale a tensor, a channel or a tile."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numformats.checks import choice, flag, integer

KINDS = ("tensor", "channel", "block")
TINY = np.finfo(np.float32).smallest_subnormal
LOWEST, HIGHEST = np.float32(2.0**-126), np.finfo(np.float32).max  # of scales: normal float32


@dataclass(frozen=True)
class Scaling:
    """One float32 scale for all elements that share it: stored element = x / scale, rounded.

    ``scale = amax / limit``, with amax the largest finite magnitude among them (where that is 0,
    the scale is 1). Scales stay within the normal float32.

    Args:
        kind: ``"tensor"``; ``"channel"``: a row of the left operand, a column of the right one;
            ``"block"``: a tile of ``block``.
        block: (outer, inner): rows of the left operand (columns of the right one), and elements
            along K.
        limit: the magnitude that amax is mapped to; by default the largest value of the format.
        power_of_two: round the scale up to a power of two.
        exponent_step: keep exponents of scales to multiples of this, rounded up.
        exponents: (lowest, highest) exponent that the hardware has.

    Raises:
        TypeError, ValueError: unknown kinds, a block without shape, limits that are not positive.

    Example:
        >>> Scaling("block", block=(128, 128), limit=448.0).words
        'one scale a tile of 128 x 128 (outer x K), largest magnitude to 448'
    """

    kind: str
    block: tuple[int, int] | None = field(default=None, kw_only=True)
    limit: float | None = field(default=None, kw_only=True)
    power_of_two: bool = field(default=False, kw_only=True)
    exponent_step: int = field(default=1, kw_only=True)
    exponents: tuple[int, int] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        choice("kind", self.kind, KINDS)
        flag("power_of_two", self.power_of_two)
        integer("exponent_step", self.exponent_step, 1, 64)
        if (self.kind == "block") != (self.block is not None):
            raise ValueError(
                f"kind={self.kind!r} with block={self.block!r}; a block has a shape, others have "
                "none: write Scaling('block', block=(1, 128)) or Scaling('tensor')"
            )
        for name in ("block", "exponents"):
            self._check_pair(name)
        if self.limit is not None:
            check_limit("limit", self.limit)
        if not self.power_of_two and (self.exponent_step > 1 or self.exponents is not None):
            raise ValueError("exponent_step and exponents need power_of_two=True; write it, too")

    def _check_pair(self, name: str) -> None:
        pair = getattr(self, name)
        if pair is None:
            return
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise TypeError(f"{name}={pair!r}; write a tuple of two integers")
        low, high = (1, 1 << 30) if name == "block" else (-126, 127)
        for value in pair:
            integer(name, value, low, high)
        if name == "exponents" and pair[0] > pair[1]:
            raise ValueError(f"exponents={pair!r}; write (lowest, highest)")

    @property
    def inner(self) -> int | None:
        """Elements along K that share a scale; None: all."""
        return None if self.block is None else self.block[1]

    def scales(self, x: Any, largest: float) -> Any:
        """The scales of ``x`` (..., outer, K): float32 (..., outer or 1, blocks along K).

        Args:
            x: float array; the right operand transposed.
            largest: the largest value of the storage format.
        """
        size = np.abs(np.where(np.isfinite(x), x, 0.0))
        return self.from_largest(self._largest(size), largest)

    def from_largest(self, amax: Any, largest: float) -> Any:
        """The scales of elements whose largest finite magnitudes are ``amax``: float32.

        Args:
            amax: float array; its shape is kept.
            largest: the largest value of the storage format.
        """
        real = np.promote_types(amax.dtype, np.float32).type
        with np.errstate(over="ignore", under="ignore"):
            scale = (amax.astype(real) / real(self.limit or largest)).astype(np.float32)
        scale = np.clip(scale, TINY, HIGHEST)  # 0 and Inf have no exponent
        if self.power_of_two:
            scale = self._powers(scale)
        return np.where(amax > 0, np.maximum(scale, LOWEST), np.float32(1))

    def _largest(self, size: Any) -> Any:
        if self.kind == "tensor":
            most = np.max(size, initial=0.0)
            return np.full((*(1,) * size.ndim,), most)
        if self.kind == "channel":
            return np.max(size, axis=-1, keepdims=True, initial=0.0)
        assert self.block is not None
        tiles = _reduced(size, self.block[1], -1)
        most = _reduced(tiles, self.block[0], -2)
        return np.repeat(most, self.block[0], axis=-2)[..., : size.shape[-2], :]

    def _powers(self, scale: Any) -> Any:
        significand, exponent = np.frexp(scale)
        up = exponent - (significand == 0.5)  # ceil(log2(scale))
        up = -(-up // self.exponent_step) * self.exponent_step
        low, high = self.exponents or (-126, 127)
        return np.ldexp(np.float32(1), np.clip(up, low, high)).astype(np.float32)

    @property
    def words(self) -> str:
        """What happens, in words."""
        where = {"tensor": "one scale a tensor", "channel": "one scale a row (a column of weights)"}
        text = where.get(self.kind, "")
        if self.block is not None:
            text = "one scale a tile of {} x {} (outer x K)".format(*self.block)
        target = "the format's largest" if self.limit is None else f"{self.limit:g}"
        text += f", largest magnitude to {target}"
        if self.power_of_two:
            step = f", exponents in steps of {self.exponent_step}" if self.exponent_step > 1 else ""
            text += f", rounded up to a power of two{step}"
        if self.exponents is not None:
            text += " from 2^{} to 2^{}".format(*self.exponents)
        return text


def check_limit(name: str, value: object) -> None:
    """``value``, to which a scale maps the largest magnitude, is a normal positive float32.

    Raises:
        TypeError, ValueError: no number; one beyond that range.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name}={value!r}; write a number, for example 448.0")
    low, high = float(LOWEST), float(HIGHEST)
    if not low <= value <= high:
        raise ValueError(
            f"{name}={value!r}; write a positive number from {low:.3g} to {high:.3g}, as scales "
            "are float32, for example 448"
        )


def _reduced(x: Any, block: int, axis: int) -> Any:
    """Largest of every ``block`` elements along ``axis``; the last block may be shorter."""
    places = np.arange(0, x.shape[axis], block)
    return np.maximum.reduceat(x, places, axis=axis) if x.shape[axis] else x
