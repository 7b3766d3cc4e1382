"""Operands as calls hand them over: what role they have, and how they are stored once."""

from typing import Any

import torch

from numformats.accelerators import Accelerator
from numformats.random import Key
from numformats.torch.simulation.multiplying import Operand
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.storing import decoded, keeps, shared, store, through, working

Tensor = torch.Tensor
STORED, GRADIENT = 0, 5  # parts of a call's key
CUTS = ("detach", "data")


def role_of(x: Tensor) -> str:
    """``"weights"`` for parameters and their views, ``"activations"`` for all else."""
    base = x._base if x._is_view() else x
    weight = isinstance(x, torch.nn.Parameter) or isinstance(base, torch.nn.Parameter)
    return "weights" if weight else "activations"


def as_view(result: Any, func: Any, args: Any) -> Any:
    """``result`` of ``func``, as a view of the weights of which it is one.

    In inference mode torch composes ``w.T``, ``w.reshape(...)`` and others below the audit, and
    the result does not know its base.
    """
    x = args[0] if args else None
    if not isinstance(x, Tensor) or role_of(x) != "weights" or _cuts(func):
        return result
    if type(result) in (tuple, list):
        return type(result)(as_view(part, func, args) for part in result)
    lost = type(result) is Tensor and not result._is_view() and result.dtype == x.dtype
    if not lost or result.untyped_storage().data_ptr() != x.untyped_storage().data_ptr():
        return result
    return x.as_strided(result.shape, result.stride(), result.storage_offset())


def _cuts(func: Any) -> bool:
    """Whether results of ``func`` are never weights: ``w.detach()`` and ``w.data``."""
    name = getattr(func, "__name__", "")
    return (getattr(func.__self__, "__name__", "") if name == "__get__" else name) in CUTS


def operand(site: Site, x: Tensor, role: str, position: int = 0) -> Operand:
    """``x`` as it enters products; what serves all of them is stored here, once."""
    x = site.cast(x)
    once = shared(site.chip, role)
    if role != "weights" and (not once or keeps(site.chip, role, x.dtype)):
        return Operand(working(x), role, x.dtype, once)
    keys = site.part(STORED, position), site.part(GRADIENT, position)
    with site.inside():
        values, scale = Store.apply(x, site.chip, role, once, keys)
    return Operand(values, role, x.dtype, once, scale)


class Store(torch.autograd.Function):
    """The stored elements of a tensor; gradients of weights leave in their own format.

    Products return gradients of the numbers, not of their elements, so that scales do not enter.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        chip: Accelerator,
        role: str,
        once: bool,
        keys: tuple[Key | None, Key | None],
    ) -> tuple[Tensor, Tensor | None]:
        """Elements and their scale."""
        ctx.chip, ctx.role, ctx.key, ctx.dtype = chip, role, keys[1], x.dtype
        if not once or keeps(chip, role, x.dtype):
            wide = working(x)
            return (x.view_as(x) if wide is x else wide), None
        values, scale = store(chip, x, role, keys[0])
        if scale is not None:
            ctx.mark_non_differentiable(scale)
        return values, scale

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Any, ...]:
        """The gradient as the chip stores it."""
        if ctx.role == "weights":
            grad = outgoing(ctx.chip, grad, ctx.key)
        return grad.to(ctx.dtype), None, None, None, None


class Gather(torch.autograd.Function):
    """A stored table as numbers; its gradient leaves in the format of gradients."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, chip: Accelerator, key: Key | None, gradient_key: Key | None
    ) -> Tensor:
        """The numbers that were stored."""
        ctx.chip, ctx.key, ctx.dtype = chip, gradient_key, x.dtype
        if keeps(chip, "weights", x.dtype):
            return x.view_as(x)
        return decoded(store(chip, x, "weights", key)).to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Any, ...]:
        """The gradient as the chip stores it."""
        return outgoing(ctx.chip, grad, ctx.key).to(ctx.dtype), None, None, None


def outgoing(chip: Accelerator, grad: Tensor, key: Key | None) -> Tensor:
    """A gradient of weights as it leaves."""
    if keeps(chip, "gradients", grad.dtype):
        return grad
    return through(grad, decoded(store(chip, grad, "gradients", key)))
