"""Arithmetic as rounded steps, forward and backward: what ``simd_ops`` calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.specs import MxSpecs, Specs, get_backwards_mx_specs
from numformats.torch.interop.microxcaling.vector_ops import Formula, Number, Vector, stepped

Kept = tuple[Tensor, tuple[Tensor, ...]]
Slope = Callable[[Vector, Tensor, dict[str, Any]], Tensor]


class Two(NamedTuple):
    """A step on operands a and b with result y: what its slopes need, and the gradients."""

    step: Callable[[Vector, Tensor, Number], Tensor]
    needs: str
    left: Slope
    right: Slope


ADD = Two(Vector.add, "", lambda v, e, _: v(e), lambda v, e, _: v(e))
SUB = Two(Vector.sub, "", lambda v, e, _: e, lambda v, e, _: v(-e))
MUL = Two(
    Vector.mul, "ab",
    lambda v, e, kept: v.mul(v(e), kept["b"]),
    lambda v, e, kept: v.mul(v(e), kept["a"]),
)  # fmt: skip
DIV = Two(
    Vector.div, "by",
    lambda v, e, kept: v.div(v(e), kept["b"]),
    lambda v, e, kept: v.mul(v(e), v.div(-kept["y"], kept["b"])),
)  # fmt: skip


def of_two(two: Two, a: Tensor, b: Number, specs: Specs) -> Tensor:
    """A number stands for itself, without rounding and gradient."""
    if not isinstance(b, Tensor):

        def alone(v: Vector, a: Tensor) -> Kept:
            return two.step(v, v(a), b), ()

        return stepped(Formula(alone, lambda v, e: (two.left(v, e, {"b": b}),)), specs, a)

    def forward(v: Vector, a: Tensor, b: Tensor) -> Kept:
        near, far = v(a), v(b)
        y = two.step(v, near, far)
        of = {"a": v.kept(near, a), "b": v.kept(far, b), "y": y}
        return y, tuple(of[name] for name in two.needs)

    shapes = a.shape, b.shape

    def backward(v: Vector, e: Tensor, *kept: Tensor) -> tuple[Tensor, ...]:
        of = dict(zip(two.needs, kept, strict=True))
        grads = two.left(v, e, of), two.right(v, e, of)
        return tuple(_narrowed(v, g, s) for g, s in zip(grads, shapes, strict=True))

    return stepped(Formula(forward, backward), specs, a, b)


def _narrowed(v: Vector, grad: Tensor, shape: torch.Size) -> Tensor:
    return grad if grad.shape == shape else v(v(grad).sum_to_size(list(shape)))


def _square(v: Vector, x: Tensor) -> Kept:
    near = v(x)
    return v.mul(near, near), (v.kept(near, x),)


def _root(v: Vector, x: Tensor) -> Kept:
    y = v.sqrt(v(x))
    return y, (y,)


def _power(v: Vector, x: Tensor) -> Kept:
    y = v.exp(v(x))
    return y, (y,)


def _logarithm(v: Vector, x: Tensor) -> Kept:
    near = v(x)
    return v(torch.log(near)), (v.kept(near, x),)


SQUARE = Formula(_square, lambda v, e, x: (v.mul(v(e), v.mul(x, 2)),))
ROOT = Formula(_root, lambda v, e, y: (v.div(v.mul(v(e), 0.5), y),))
POWER = Formula(_power, lambda v, e, y: (v.mul(v(e), y),))
LOGARITHM = Formula(_logarithm, lambda v, e, x: (v.div(v(e), x),))


def _summed(v: Vector, x: Tensor, dims: list[int], keepdim: bool) -> Kept:
    return v.sum(v(x), dims, keepdim), ()


def _spread(
    v: Vector, e: Tensor, dims: list[int], keepdim: bool, shape: Sequence[int]
) -> tuple[Tensor]:
    error = v(e)
    for dim in () if keepdim else sorted(dim % len(shape) for dim in dims):
        error = error.unsqueeze(dim)
    return (error.expand(shape),)


def summed(x: Tensor, dims: list[int], keepdim: bool, specs: Specs) -> Tensor:
    """The sum of ``x`` over ``dims``."""
    how: Any = {"dims": dims, "keepdim": keepdim}
    formula = Formula(partial(_summed, **how), partial(_spread, **how, shape=x.shape))
    return stepped(formula, specs, x)


class Split(torch.autograd.Function):
    """Twice the same tensor, whose gradients are rounded and added."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, specs: MxSpecs) -> tuple[Tensor, Tensor]:
        """Two copies."""
        ctx.specs = get_backwards_mx_specs(specs)
        ctx.set_materialize_grads(False)
        return x.clone(), x.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, one: Tensor | None, other: Tensor | None) -> tuple[Tensor | None, None]:
        """The sum; where one is missing, the other as it is."""
        if one is None or other is None:
            return (other if one is None else one), None
        v = Vector(ctx.specs)
        return v.add(v(one), v(other)), None
