"""Products of integers on an accelerator, and their way back to narrow integers."""

from dataclasses import replace
from math import frexp
from numbers import Real
from typing import Any

import numpy as np

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.storing import Stored
from numformats.engines import (
    ApFixed,
    IntegerDot,
    MultiplierRequantize,
    ShiftRequantize,
    matmul,
    requantize,
)
from numformats.formats import FixedPoint


def multiply_integers(
    chip: Accelerator, a: Stored, b: Stored, c: Any, output_scale: float | None, backend: str
) -> Any:
    """The product of two stored operands of fixed-point formats, as floats."""
    engine = chip.engine
    assert isinstance(engine, IntegerDot)
    forms = (chip.activations, chip.weights)
    left, right = (_integers(x.values, fmt) for x, fmt in zip((a, b), forms, strict=True))
    unit = 2.0 ** -sum(fmt.frac_bits for fmt in forms)
    rows, columns = a.scale_at(0), b.scale_at(0).swapaxes(-1, -2)
    step = rows.astype(np.float64) * columns * unit
    start = None if c is None else _bias(c, step, engine)
    rule = _rule(chip, step, output_scale)
    acc = matmul(left, right.swapaxes(-1, -2), start, engine=engine, backend=backend)
    kind = a.values.dtype
    if output_scale is not None:
        narrow = requantize(acc, rule).astype(np.float64) - rule.zero_point
        return (narrow * output_scale).astype(kind)
    if isinstance(rule, ApFixed):
        bits = rule.word_bits - rule.int_bits
        return np.ldexp(requantize(acc, rule).astype(np.float64), -bits).astype(kind)
    if isinstance(rule, ShiftRequantize):
        narrow = requantize(acc, rule).astype(np.float64)
        return (np.ldexp(narrow, rule.shift) * step).astype(kind)
    return (acc * step).astype(kind)


def _rule(chip: Accelerator, step: Any, output_scale: float | None) -> Any:
    """How the accumulators of a product become narrow.

    Raises:
        TypeError, ValueError: an output scale that is none, or for a chip without a multiplier.
    """
    if output_scale is None:
        return chip.requantize
    if isinstance(output_scale, bool) or not isinstance(output_scale, Real):
        kind = type(output_scale).__name__
        raise TypeError(f"output_scale={output_scale!r} is a {kind}; write a positive number")
    if not isinstance(chip.requantize, MultiplierRequantize):
        raise ValueError(
            f"output_scale={output_scale!r}: {chip.name} has no multiplier; leave it out"
        )
    return with_scale(chip.requantize, step, output_scale)


def with_scale(rule: MultiplierRequantize, step: Any, output_scale: float) -> MultiplierRequantize:
    """``rule`` with the multipliers of ``step / output_scale``: 31-bit significands, half away.

    ``step`` (..., 1, channels or 1) is the value of one unit of the accumulator.

    Raises:
        ValueError: an output scale that is not positive, or far from the accumulator's.
    """
    if not 0 < output_scale < float("inf"):
        raise ValueError(f"output_scale={output_scale!r}; write a positive number")
    if step.size > max(step.shape[-1], 1):
        raise ValueError(
            f"scales of shape {step.shape} differ between batches, and requantization has one "
            "multiplier a column; multiply one batch at a time"
        )
    pairs = [_multiplier(float(ratio), output_scale) for ratio in step.reshape(-1)]
    multipliers, shifts = (tuple(pair[i] for pair in pairs) for i in (0, 1))
    if len(pairs) == 1:
        return replace(rule, multiplier=multipliers[0], shift=shifts[0])
    return replace(rule, multiplier=multipliers, shift=shifts, axis=-1)


def _multiplier(unit: float, output_scale: float) -> tuple[int, int]:
    """Their ratio as (multiplier, shift): ``ratio = multiplier * 2**(shift - 31)``.

    Raises:
        ValueError: an output scale too far from that of the accumulator.
    """
    (top, above), (bottom, below) = frexp(unit), frexp(output_scale)
    significand, exponent = frexp(top / bottom)  # of the quotient itself there may be no float
    exponent += above - below
    units = int(significand * 2.0**31 + 0.5)
    if units == 1 << 31:
        units, exponent = units >> 1, exponent + 1
    if not -32 <= exponent <= 31:
        raise ValueError(
            f"output_scale={output_scale!r} is 2**{-exponent} units of the accumulator, which are "
            f"{unit!r}; write one within 2**-31 to 2**32 units"
        )
    return units, exponent


def _integers(values: Any, fmt: FixedPoint) -> Any:
    """The integer codes of values of ``fmt``.

    Raises:
        ValueError: NaN, which integers lack (and Inf becomes where a format wraps around).
    """
    if np.isnan(values).any():
        raise ValueError(
            f"an operand holds NaN, or Inf, which {fmt} lacks; write numpy.nan_to_num(x) first"
        )
    return np.ldexp(values.astype(np.float64), fmt.frac_bits).astype(np.int32)


def _bias(c: Any, step: Any, engine: IntegerDot) -> Any:
    """c in units of the accumulator, to nearest even, saturated.

    Raises:
        ValueError: NaN or Inf, which integers lack.
    """
    if not np.isfinite(c).all():
        raise ValueError("c holds NaN or Inf, which integers lack; replace them first")
    low, high = engine.limits
    edge = float(1 << 53)
    rounded = np.clip(np.rint(c / step), max(low, -edge), min(high, edge))
    return rounded.astype(np.int64 if engine.accumulator_bits > 32 else np.int32)
