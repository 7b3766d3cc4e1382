"""``quantize`` of tensors with a gradient."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import torch

from numformats.dtypes import FormatLike
from numformats.random import Key
from numformats.torch.checking import check_gradient, check_tensor
from numformats.torch.direction import NEAREST, Direction, checked
from numformats.torch.gradients import rounded, scales
from numformats.torch.keys import key_tensor
from numformats.torch.scaling import AmaxScaling


class Plan(NamedTuple):
    """Both directions as the operators take them: plain values, which a compiled graph may hold."""

    forward: str
    backward: str
    idle: bool  #: nothing is to be done
    stochastic: bool  #: either direction draws random bits
    scaled: bool  #: forward
    clipped: bool


def plan(forward: Direction, backward: Direction, gradient: str) -> Plan:
    """The plan of two directions, after checking that ``gradient`` suits them."""
    check_gradient(gradient, forward)
    return Plan(
        forward.text,
        backward.text,
        forward.fmt is None and backward.fmt is None,
        forward.stochastic or backward.stochastic,
        forward.scaling is not None,
        gradient == "clipped",
    )


def quantize(
    x: torch.Tensor,
    fmt: FormatLike | None,
    rounding: str = NEAREST,
    *,
    key: Key | int | torch.Tensor | None = None,
    random_bits: int | None = None,
    scaling: AmaxScaling | None = None,
    backward: FormatLike | None = None,
    backward_rounding: str = NEAREST,
    backward_random_bits: int | None = None,
    backward_scaling: AmaxScaling | None = None,
    gradient: str = "straight_through",
) -> torch.Tensor:
    """Round ``x`` to values of ``fmt``, and its gradient to values of ``backward``.

    Forward: y = Q(x), or s·Q(x/s) with a scale. Backward: ∂L/∂x = Q_backward(∂L/∂y), and 0 where
    ``gradient="clipped"`` and x lies more than half a gap beyond the range of ``fmt``.

    Args:
        x: float16, bfloat16, float32 or float64, any shape and strides, on the CPU or CUDA.
        fmt: a format or its name; None leaves the values.
        rounding: a name in ``nf.roundings()``.
        key: needed by stochastic modes: an int, ``nf.Key``, or an int64 tensor of (seed, stream,
            first element, *folds), which a compiled graph does not freeze.
        random_bits: of the N-bit modes, as ``nf.quantize``.
        scaling: scales from amax of this call; a history of them is kept by ``Quantizer``.
        backward: format of the gradient; None leaves it.
        backward_rounding: its rounding; stochastic draws use ``key`` with 1 folded in.
        backward_random_bits: as ``random_bits``.
        backward_scaling: as ``scaling``.
        gradient: ``"straight_through"`` or ``"clipped"``.

    Returns:
        Same shape, dtype, device and strides (of dense tensors) as ``x``. Promise: the bits of
        ``nf.quantize`` with the same key, eager and compiled.

    Raises:
        TypeError: no tensor, integer, complex or sparse ones.
        ValueError: unknown names, a stochastic mode without ``key``, options that do not go
            together.

    Example:
        >>> x = torch.tensor([0.3, 1000.0], requires_grad=True)
        >>> quantize(x, "e4m3", gradient="clipped").sum().backward()
        >>> x.grad
        tensor([1., 0.])

    Reference: Bengio, Léonard, Courville, arXiv 1308.3432 (straight-through estimator).
    """
    check_tensor(x)
    ahead = fmt, rounding, random_bits, scaling
    back = backward, backward_rounding, backward_random_bits, backward_scaling
    how = _planned(*ahead, *back, gradient)
    if how.stochastic and key is None:
        raise ValueError(
            f"rounding={rounding!r}, backward_rounding={backward_rounding!r}: random bits are "
            "drawn and key is missing; write key=0 or nf.Key(seed, stream)"
        )
    words = key_tensor(key) if how.stochastic and key is not None else None
    return run(x, how, words, None, None, False)


def _planned(*options: Any) -> Plan:
    """The plan of ``quantize``'s options, formats and roundings forward and backward."""
    if torch.compiler.is_compiling():  # what is made while tracing has no fields for a constant
        constant: Plan = _constant_plan(*map(_fields, options))
        return constant
    return _hashed_plan(*options)


def _fields(option: Any) -> Any:
    """A format or scaling as plain data: its class, and names and values of its fields."""
    if option is None:  # torch 2.11 cannot trace the question whether it is a dataclass
        return None
    if is_dataclass(option):
        values = tuple((f.name, _fields(getattr(option, f.name))) for f in fields(option))
        return type(option), values
    if isinstance(option, tuple):
        return tuple(map(_fields, option))
    # hashing makes a constant of a number that a graph with dynamic shapes would keep open
    return next(iter({option})) if type(option) in (int, float) else option


def _made(option: Any) -> Any:
    if not (isinstance(option, tuple) and option and is_dataclass(option[0])):
        return option
    kind, values = option
    return kind(**{name: _made(value) for name, value in values})


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _constant_plan(*options: Any) -> Plan:
    return _hashed_plan(*map(_made, options))


def _hashed_plan(*options: Any) -> Plan:
    try:
        return _cached_plan(*options)
    except TypeError:  # perhaps only because an option has no hash: say what is wrong with it
        return _plan(*options)


def _plan(*options: Any) -> Plan:
    ahead, back, gradient = options[:4], options[4:8], options[8]
    for way, scaling in (("scaling", ahead[3]), ("backward_scaling", back[3])):
        if getattr(scaling, "history", 0):
            raise ValueError(f"{way} keeps a history; a function has no state: use Quantizer")
    return plan(checked("forward", *ahead), checked("backward", *back), gradient)


_cached_plan = lru_cache(maxsize=None, typed=True)(_plan)


def run(
    x: torch.Tensor,
    how: Plan,
    key: torch.Tensor | None,
    history: torch.Tensor | None,
    grad_history: torch.Tensor | None,
    record: bool,
) -> torch.Tensor:
    """Scale, round and leave the gradient its instructions."""
    if how.idle:
        return x
    scale = scales(x, history, how.forward, record) if how.scaled else None
    return rounded(x, scale, key, grad_history, how.forward, how.backward, how.clipped)
