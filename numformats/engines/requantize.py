"""How integer accumulators become narrow integers again: the rules of edge and FPGA arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numformats.arrays import as_kind, plain
from numformats.checks import choice, integer

Shift = Callable[[Any, Any], Any]


def floor_shift(x: Any, n: Any) -> Any:
    """``floor(x / 2**n)``."""
    return x >> n


def half_up_shift(x: Any, n: Any) -> Any:
    """``x / 2**n`` to nearest, ties toward +Inf."""
    return (x >> n) + (np.where(n > 0, x >> np.maximum(n - 1, 0), 0) & 1)


def half_away_shift(x: Any, n: Any) -> Any:
    """``x / 2**n`` to nearest, ties away from zero."""
    return np.where(x < 0, -half_up_shift(-x, n), half_up_shift(x, n))


def toward_zero_shift(x: Any, n: Any) -> Any:
    """``x / 2**n`` toward zero."""
    return np.where(x < 0, -(-x >> n), x >> n)


def _wrapped(x: Any) -> Any:
    """``x`` modulo 2**32 as int64."""
    return x.astype(np.int32).astype(np.int64)


def _double(acc: Any, multiplier: Any, shift: Any) -> Any:
    left = _wrapped(acc << np.maximum(shift, 0))
    high = _wrapped(half_up_shift(left * multiplier, np.int64(31)))
    return half_away_shift(high, np.maximum(-shift, 0))


def _gemmlowp(acc: Any, multiplier: Any, shift: Any) -> Any:
    high = _double(acc, multiplier, np.maximum(shift, 0))
    top = (_wrapped(acc << np.maximum(shift, 0)) == -(1 << 31)) & (multiplier == -(1 << 31))
    return half_away_shift(np.where(top, (1 << 31) - 1, high), np.maximum(-shift, 0))


MULTIPLIER_ROUNDINGS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "double": _double,
    "gemmlowp": _gemmlowp,
    "single": lambda acc, multiplier, shift: half_up_shift(acc * multiplier, 31 - shift),
    "natural": lambda acc, multiplier, shift: half_up_shift(acc * multiplier, 31 - shift),
    "truncate": lambda acc, multiplier, shift: toward_zero_shift(acc * multiplier, 31 - shift),
}


@dataclass(frozen=True)
class MultiplierRequantize:
    """``clamp(round(acc * multiplier * 2**(shift - 31)) + zero_point)``, as in inference.

    =============  =============================================================================
    rounding       how the product is rounded
    =============  =============================================================================
    ``double``     CMSIS-NN, TFLite, Ethos-U DOUBLE: to nearest at 2^31 (ties up), then the right
                   shift to nearest (ties away); a left shift comes first and wraps, as does the
                   one product that overflows (of two -2^31)
    ``gemmlowp``   the same, with that product saturated
    ``single``     CMSIS-NN single rounding: once to nearest, ties up
    ``natural``    Ethos-U NATURAL: the same
    ``truncate``   Ethos-U TRUNCATE: toward zero
    =============  =============================================================================

    Args:
        multiplier: int32, the scale's significand in units of 2^-31; a tuple has one a channel.
        shift: -32 to 31, left if positive; Ethos-U's scale shift is 31 minus it. An int or a tuple.
        rounding: a name of the table.
        zero_point: added after rounding.
        low: smallest result; high: largest.
        axis: of channels, where ``multiplier`` or ``shift`` is a tuple.

    Promise: exact.

    Raises:
        ValueError: an unknown rounding, values out of range.

    Example:
        >>> rule = MultiplierRequantize(1321694465, -7, rounding="truncate")

    Reference: CMSIS-NN (arm_nn_requantize), gemmlowp (SaturatingRoundingDoublingHighMul,
    RoundingDivideByPOT), Arm Vela and Ethos-U.
    """

    multiplier: int | tuple[int, ...]
    shift: int | tuple[int, ...]
    rounding: str = field(default="double", kw_only=True)
    zero_point: int = field(default=0, kw_only=True)
    low: int = field(default=-128, kw_only=True)
    high: int = field(default=127, kw_only=True)
    axis: int = field(default=-1, kw_only=True)

    def __post_init__(self) -> None:
        choice("rounding", self.rounding, tuple(MULTIPLIER_ROUNDINGS))
        for value in _several(self.multiplier):
            integer("multiplier", value, -(1 << 31), (1 << 31) - 1)
        for value in _several(self.shift):
            integer("shift", value, -32, 31)
        counts = {len(v) for v in (self.multiplier, self.shift) if isinstance(v, tuple)}
        if len(counts) > 1:
            raise ValueError(
                f"multiplier={self.multiplier!r} and shift={self.shift!r} are of different numbers "
                "of channels; give one of each a channel, or one for all"
            )
        integer("zero_point", self.zero_point, -(1 << 31), (1 << 31) - 1)
        integer("axis", self.axis, -32, 31)
        _check_range(self.low, self.high)

    def apply(self, acc: Any) -> Any:
        """int64 ``acc`` (values of int32) of any shape, requantized; int64."""
        multiplier, shift = (_channels(v, acc, self.axis) for v in (self.multiplier, self.shift))
        rounded = MULTIPLIER_ROUNDINGS[self.rounding](acc, multiplier, shift)
        return np.clip(rounded + self.zero_point, self.low, self.high)


@dataclass(frozen=True)
class ShiftRequantize:
    """``clamp(round(acc * 2**-shift))`` with a power-of-two scale.

    Args:
        shift: 0 to 62, or negative to -31 for a left shift.
        rounding: ``"half_up"`` (MAX78000: floor(x + 1/2)), ``"floor"``, ``"half_away"`` or
            ``"toward_zero"``.
        low: smallest result; high: largest.

    Promise: exact.

    Raises:
        ValueError: an unknown rounding, values out of range.

    Example:
        >>> rule = ShiftRequantize(7)

    Reference: Analog Devices, MAX78000 ai8x-training and ai8x-synthesis.
    """

    shift: int
    rounding: str = field(default="half_up", kw_only=True)
    low: int = field(default=-128, kw_only=True)
    high: int = field(default=127, kw_only=True)

    def __post_init__(self) -> None:
        integer("shift", self.shift, -31, 62)
        choice("rounding", self.rounding, tuple(SHIFT_ROUNDINGS))
        _check_range(self.low, self.high)

    def apply(self, acc: Any) -> Any:
        """int64 ``acc`` (values of int32) of any shape, requantized; int64."""
        right, left = np.int64(max(self.shift, 0)), np.int64(max(-self.shift, 0))
        rounded = SHIFT_ROUNDINGS[self.rounding](acc << left, right)
        return np.clip(rounded, self.low, self.high)


SHIFT_ROUNDINGS: dict[str, Shift] = {
    "half_up": half_up_shift,
    "floor": floor_shift,
    "half_away": half_away_shift,
    "toward_zero": toward_zero_shift,
}


def _several(value: int | tuple[int, ...]) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,)


def _channels(value: int | tuple[int, ...], acc: Any, axis: int) -> Any:
    """``value`` as int64 that broadcasts against ``acc``."""
    if not isinstance(value, tuple):
        return np.int64(value)
    if not -acc.ndim <= axis < acc.ndim or acc.shape[axis] != len(value):
        raise ValueError(
            f"{len(value)} channels along axis {axis} of an accumulator of shape {acc.shape}; give "
            "one value a channel, or another axis"
        )
    shape = [1] * acc.ndim
    shape[axis] = len(value)
    return np.array(value, np.int64).reshape(shape)


def _check_range(low: int, high: int) -> None:
    integer("low", low, -(1 << 31), (1 << 31) - 1)
    integer("high", high, low, (1 << 31) - 1)


def result_dtype(low: int, high: int) -> Any:
    """The smallest integer dtype that holds low to high, signed where low is negative."""
    kind = "int" if low < 0 else "uint"
    return next(
        np.dtype(f"{kind}{bits}")
        for bits in (8, 16, 32, 64)
        if np.iinfo(f"{kind}{bits}").min <= low and high <= np.iinfo(f"{kind}{bits}").max
    )


def requantize(acc: Any, rule: Any) -> Any:
    """Integer accumulators through a rule: ``MultiplierRequantize``, ``ShiftRequantize`` or
    ``ApFixed``.

    Args:
        acc: int32 (or narrower; int64 for ``ApFixed``) array or CPU tensor of any shape.
        rule: says what happens.

    Returns:
        Integers of the smallest dtype that holds the rule's range, in the shape of ``acc``.
        Promise: exact.

    Raises:
        TypeError: floats, or something else for a rule. ValueError: an accumulator beyond int32.

    Example:
        >>> requantize(np.int32([-21941]), MultiplierRequantize(1321694465, -7))
        array([-106], dtype=int8)
    """
    view, source = plain(acc, "acc")
    if view.dtype.kind not in "iu":
        raise TypeError(f"acc has dtype {view.dtype}; give integers, as an integer engine does")
    if isinstance(rule, type) or not hasattr(rule, "apply"):
        raise TypeError(
            f"rule is {rule!r}; give MultiplierRequantize, ShiftRequantize or ApFixed, with their "
            "arguments"
        )
    bits = getattr(rule, "input_bits", 32)
    if view.size and max(int(view.max()), -int(view.min()) - 1) >> (bits - 1):
        raise ValueError(
            f"acc holds {int(view.min())} to {int(view.max())}, beyond {bits} bits; "
            f"{type(rule).__name__} is defined on int{bits} accumulators"
        )
    out = rule.apply(view.astype(np.int64)).astype(result_dtype(rule.low, rule.high))
    return out if source is None else as_kind(source, out)
