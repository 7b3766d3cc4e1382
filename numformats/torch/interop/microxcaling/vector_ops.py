"""A vector unit: every basic step is computed in the tensor's dtype and rounded, and functions are
sequences of such steps, forward and backward.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.elemwise_ops import quantize_elemwise_op
from numformats.torch.interop.microxcaling.specs import (
    MxSpecs,
    Specs,
    apply_mx_specs,
    get_backwards_mx_specs,
)

LOG2_E = 1.4453125  #: as the package has it: bfloat16
LN_2 = 0.69140625
Number = Tensor | float


class Vector:
    """Steps, each rounded to the element-wise format of ``specs`` by its ``round``."""

    def __init__(self, specs: MxSpecs) -> None:
        self.specs = specs

    def __call__(self, x: Tensor) -> Tensor:
        """``x`` rounded."""
        return quantize_elemwise_op(x, self.specs)

    def kept(self, rounded: Tensor, given: Tensor) -> Tensor:
        """Of an operand, what backward steps use."""
        return rounded if self.specs["quantize_backprop"] else given

    def add(self, a: Number, b: Number) -> Tensor:
        """a + b."""
        return self(_tensor(a + b))

    def sub(self, a: Number, b: Number) -> Tensor:
        """a - b."""
        return self(_tensor(a - b))

    def mul(self, a: Number, b: Number) -> Tensor:
        """a b."""
        return self(_tensor(a * b))

    def div(self, a: Number, b: Number) -> Tensor:
        """a / b; with ``vec_use_recip`` a times the reciprocal of b."""
        return self.mul(a, self.recip(b)) if self.specs["vec_use_recip"] else self(_tensor(a / b))

    def recip(self, x: Number) -> Tensor:
        """1 / x."""
        return self(_tensor(1.0 / x))

    def exp(self, x: Tensor) -> Tensor:
        """e^x; with ``vec_use_exp2`` two to the power of log2(e) x."""
        if self.specs["vec_use_exp2"]:
            return self.exp2(self.mul(LOG2_E, x))
        return self(torch.exp(x))

    def exp2(self, x: Tensor) -> Tensor:
        """2^x."""
        return self(torch.exp2(x))

    def sqrt(self, x: Tensor) -> Tensor:
        """The square root."""
        return self(torch.sqrt(x))

    def sigmoid(self, x: Tensor) -> Tensor:
        """1 / (1 + e^-x)."""
        return self.recip(self.add(self.exp(-x), 1.0))

    def sum(self, x: Tensor, axes: Sequence[int], keepdim: bool = False) -> Tensor:
        """The sum over ``axes`` in the tensor's dtype, rounded once."""
        return self(x.sum(list(axes), keepdim=keepdim) if len(axes) else x)

    def mean(self, x: Tensor, axes: Sequence[int], keepdim: bool = False) -> Tensor:
        """The rounded sum over ``axes``, divided."""
        return self.div(self.sum(x, axes, keepdim), prod(x.shape[axis] for axis in axes))


def _tensor(x: Number) -> Tensor:
    return x if isinstance(x, Tensor) else torch.tensor(x, dtype=torch.float64)


class Formula(NamedTuple):
    """A function as steps.

    ``forward(vector, *inputs)`` gives the result and the tensors that ``backward(vector, error,
    *those)`` needs, which gives a gradient for each input.
    """

    forward: Callable[..., tuple[Tensor, tuple[Tensor, ...]]]
    backward: Callable[..., tuple[Tensor | None, ...]]


class Steps(torch.autograd.Function):
    """A formula in autograd."""

    @staticmethod
    def forward(ctx: Any, formula: Formula, specs: MxSpecs, place: bool, *inputs: Any) -> Tensor:
        """The result; written into the first input, where ``place`` is set."""
        found, kept = formula.forward(Vector(specs), *inputs)
        ctx.formula, ctx.specs = formula, get_backwards_mx_specs(specs)
        ctx.save_for_backward(*kept)
        if place:
            ctx.mark_dirty(inputs[0])
            inputs[0].copy_(found)
            found = inputs[0]
        return found

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, error: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the inputs."""
        return None, None, None, *ctx.formula.backward(Vector(ctx.specs), error, *ctx.saved_tensors)


def stepped(formula: Formula, specs: Specs, *inputs: Any, inplace: bool = False) -> Tensor:
    """The result of ``formula``, differentiable once.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``.
    """
    call: Any = Steps.apply
    found: Tensor = call(formula, apply_mx_specs(specs), inplace, *inputs)
    return found
