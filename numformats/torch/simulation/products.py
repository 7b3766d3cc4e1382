"""The matrix product that every intercepted operation comes down to, with its backward products."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from numformats.random import Key
from numformats.torch.simulation.fitness import one_pass
from numformats.torch.simulation.multiplying import Operand, multiply
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.storing import shared, store, through, working

Tensor = torch.Tensor
SECOND = 32  # folded into the key of a backward product, for the products of its own gradients


@dataclass(frozen=True)
class Plan:
    """What a product needs to know beside its tensors."""

    site: Site
    a: Operand
    b: Operand
    key: Key | None
    dtype: torch.dtype
    own: Key | None  # of the product itself
    direction: str = "forward"
    turned: bool = False

    def part(self, number: int) -> Key | None:
        """The key of the products of the gradients of a (1) and b (2), and of errors (3)."""
        return None if self.key is None else self.key.fold(number)

    def back(self, left: Operand, right: Operand, part: int, turned: bool = False) -> Tensor:
        """``left @ right``, a backward product; differentiable where gradients are to be."""
        if not torch.is_grad_enabled():
            key = self.part(part)
            return multiply(self.site, left, right.mT, key, "backward", turned=turned)
        own, empty = self.part(part), left.tensor.new_empty(0)
        key = own and own.fold(SECOND)
        double = torch.float64 in (left.tensor.dtype, right.tensor.dtype)
        dtype = torch.float64 if double else torch.float32
        shells = left.shaped(empty), right.shaped(empty)
        plan = Plan(self.site, *shells, key, dtype, own, "backward", turned)
        result: Tensor = Product.apply(left.tensor, right.tensor, None, plan)
        return result


def product(site: Site, a: Operand, b: Operand, c: Tensor | None = None) -> Tensor:
    """``a @ b + c``, (..., M, K) @ (..., K, N), differentiable; weights go to the right side."""
    if a.role == "weights" and b.role != "weights":
        return product(site, b.mT, a.mT, None if c is None else column(c)).mT
    if b.tensor.ndim == 2 < a.tensor.ndim and (c is None or c.ndim < 2):
        lead = a.tensor.shape[:-1]
        flat = product(site, a.shaped(a.tensor.flatten(0, -2)), b, c)
        return flat.unflatten(0, lead) if flat.numel() else flat.reshape(*lead, flat.shape[-1])
    if a.tensor.shape[-1] != b.tensor.shape[-2]:
        raise ValueError(
            f"{site.op}: shapes {tuple(a.tensor.shape)} and {tuple(b.tensor.shape)} do not go "
            f"together; the last axis of the first is summed with the last but one of the second"
        )
    c, empty = None if c is None else site.cast(c), a.tensor.new_empty(0)
    shells, key = (a.shaped(empty), b.shaped(empty)), site.key
    plan = Plan(site, *shells, key, result_dtype(a, b), key and key.fold(0))
    result: Tensor = Product.apply(a.tensor, b.tensor, c, plan)
    return result


def result_dtype(a: Operand, b: Operand) -> torch.dtype:
    """The dtype that torch gives to the result."""
    return torch.promote_types(a.dtype, b.dtype)


def column(c: Tensor) -> Tensor:
    """``c`` of a transposed product."""
    return c.unsqueeze(-1) if c.ndim == 1 else c.mT if c.ndim else c


class Product(torch.autograd.Function):
    """``a @ b + c`` with all three products on the accelerator."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, c: Tensor | None, plan: Plan) -> Tensor:
        """The forward product, and what the backward ones need."""
        ctx.save_for_backward(a, b)
        ctx.plan, ctx.c = plan, None if c is None else (c.shape, c.dtype)
        left, right = plan.a.shaped(a), plan.b.shaped(b.mT)
        with plan.site.inside():
            start = None if c is None else working(c)
            how = plan.own, plan.direction, start, plan.turned
            return multiply(plan.site, left, right, *how).to(plan.dtype)

    @staticmethod
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        """``e @ b^T`` and ``a^T @ e``, summed over what was broadcast; c's is the sum of ``e``."""
        plan, (a, b), site = ctx.plan, ctx.saved_tensors, ctx.plan.site
        da = db = dc = None
        with site.inside():
            error = errors(site, e, plan.part(3))
            if ctx.needs_input_grad[0]:
                da = plan.back(error, plan.b.shaped(b.mT), 1).sum_to_size(a.shape)
            if ctx.needs_input_grad[1]:
                turned = b.stride(-2) == 1 and b.stride(-1) != 1
                db = plan.back(plan.a.shaped(a.mT), error, 2, turned).sum_to_size(b.shape)
            if ctx.c is not None and ctx.needs_input_grad[2]:
                dc = of_added(e, *ctx.c)
        return _as(da, a), _as(db, b), dc, None


def _as(grad: Tensor | None, x: Tensor) -> Tensor | None:
    return None if grad is None else grad.to(x.dtype)


def of_added(e: Tensor, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """The gradient of an added term: ``e``, summed in full precision over what was broadcast."""
    return working(e).sum_to_size(shape).to(dtype)


def of_bias(e: Tensor, dtype: torch.dtype) -> Tensor:
    """The gradient of the bias of a convolution; axis 1 of ``e`` has the channels."""
    return of_added(e, (e.shape[1], *(1,) * (e.ndim - 2)), dtype).flatten()


def errors(site: Site, e: Tensor, key: Key | None) -> Operand:
    """Errors as they enter backward products.

    Raises:
        NotImplementedError: several backward passes at once.
    """
    one_pass(site.op, e)
    if not shared(site.chip, "errors"):
        return Operand(working(e), "errors", e.dtype)
    elements = store(site.chip, e, "errors", key)
    values = through(e, elements.values)
    return Operand(values, "errors", e.dtype, True, elements.scale)
