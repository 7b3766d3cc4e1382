"""Arithmetic on tensors of which every step is rounded: ``mx.simd_add`` and its kin.

Operands are rounded, then results; errors and each step of gradients likewise. A gradient of what
was broadcast is rounded, summed and rounded. Without ``mx_specs`` the functions are torch's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.specs import (
    MxSpecs,
    Specs,
    apply_mx_specs,
    get_backwards_mx_specs,
)
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


def _two(two: Two, a: Tensor, b: Number, specs: Specs) -> Tensor:
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


def simd_add(in1: Tensor, in2: Number, mx_specs: Specs | None = None) -> Tensor:
    """in1 + in2, which may be a number and broadcast.

    Args:
        in1: float tensor.
        in2: float tensor or a number, which is not rounded.
        mx_specs: ``bfloat`` or ``fp``, ``round``; None: torch's own function.

    Returns:
        Their broadcast shape. Promise: steps are torch's, in the tensors' dtype, rounded by
        ``quantize_elemwise_op``.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``. RuntimeError: shapes, as of torch.

    Example:
        >>> simd_add(torch.tensor([1.0]), torch.tensor([0.00390625]), {"bfloat": 16})
        tensor([1.0078])
    """
    return in1 + in2 if mx_specs is None else _two(ADD, in1, in2, mx_specs)


def simd_sub(in1: Tensor, in2: Number, mx_specs: Specs | None = None) -> Tensor:
    """in1 - in2; as ``simd_add``, but that the first gradient is not rounded."""
    return in1 - in2 if mx_specs is None else _two(SUB, in1, in2, mx_specs)


def simd_mul(in1: Tensor, in2: Number, mx_specs: Specs | None = None) -> Tensor:
    """in1 in2; as ``simd_add``."""
    return in1 * in2 if mx_specs is None else _two(MUL, in1, in2, mx_specs)


def simd_div(in1: Tensor, in2: Number, mx_specs: Specs | None = None) -> Tensor:
    """in1 / in2; as ``simd_add``."""
    return in1 / in2 if mx_specs is None else _two(DIV, in1, in2, mx_specs)


def simd_split(in1: Tensor, mx_specs: Specs | None = None) -> tuple[Tensor, Tensor]:
    """in1 twice; gradients are rounded, added and rounded."""
    if mx_specs is None:
        return in1, in1
    call: Any = Split.apply
    found: tuple[Tensor, Tensor] = call(in1, apply_mx_specs(mx_specs))
    return found


def simd_square(in1: Tensor, mx_specs: Specs | None = None) -> Tensor:
    """in1 in1; as ``simd_add``."""
    return torch.square(in1) if mx_specs is None else stepped(SQUARE, mx_specs, in1)


def simd_sqrt(in1: Tensor, mx_specs: Specs | None = None) -> Tensor:
    """The square root; as ``simd_add``."""
    return torch.sqrt(in1) if mx_specs is None else stepped(ROOT, mx_specs, in1)


def simd_exp(in1: Tensor, mx_specs: Specs | None = None) -> Tensor:
    """e^in1; as ``simd_add``."""
    return torch.exp(in1) if mx_specs is None else stepped(POWER, mx_specs, in1)


def simd_log(in1: Tensor, mx_specs: Specs | None = None) -> Tensor:
    """The natural logarithm; as ``simd_add``."""
    return torch.log(in1) if mx_specs is None else stepped(LOGARITHM, mx_specs, in1)


def simd_reduce_sum(
    in1: Tensor, dim: int | list[int], keepdim: bool = False, mx_specs: Specs | None = None
) -> Tensor:
    """The sum over ``dim``, rounded once; as ``simd_add``."""
    if mx_specs is None:
        return torch.sum(in1, dim, keepdim=keepdim)
    how: Any = {"dims": [dim] if isinstance(dim, int) else list(dim), "keepdim": keepdim}
    formula = Formula(partial(_summed, **how), partial(_spread, **how, shape=in1.shape))
    return stepped(formula, mx_specs, in1)


def simd_reduce_mean(
    in1: Tensor, dim: int | list[int], keepdim: bool = False, mx_specs: Specs | None = None
) -> Tensor:
    """The rounded sum over ``dim`` times one over its length; as ``simd_add``."""
    if mx_specs is None:
        return torch.mean(in1, dim, keepdim=keepdim)
    length = prod(in1.shape[axis] for axis in ([dim] if isinstance(dim, int) else dim))
    return simd_mul(simd_reduce_sum(in1, dim, keepdim, mx_specs), 1 / length, mx_specs)


def simd_norm(in1: Tensor, keepdim: bool = False, mx_specs: Specs | None = None) -> Tensor:
    """The square root of the sum of squares of all elements; as ``simd_add``."""
    if mx_specs is None:
        found: Tensor = torch.linalg.norm(in1, keepdim=keepdim)
        return found
    squares = simd_square(in1, mx_specs)
    return simd_sqrt(simd_reduce_sum(squares, list(range(in1.ndim)), keepdim, mx_specs), mx_specs)
