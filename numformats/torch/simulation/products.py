"""The matrix product that every intercepted operation comes down to, with its backward products."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from numformats.accelerators.products import Call, multiply_stored
from numformats.accelerators.storing import Stored
from numformats.accelerators.storing import store as store_along_k
from numformats.random import Key
from numformats.torch.simulation.abilities import unit_for
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.storing import Elements, decoded, shared, store, working

Tensor = torch.Tensor


class Operand(NamedTuple):
    """A matrix (..., rows, columns) in a role.

    Where ``stored``, the tensor holds elements to be multiplied as they are, and ``scale`` (0-d or
    None) is theirs; otherwise numbers, which every product stores along its own K.
    """

    tensor: Tensor
    role: str
    dtype: torch.dtype
    stored: bool = False
    scale: Tensor | None = None

    @property
    def mT(self) -> "Operand":  # noqa: N802 (as torch calls it)
        """Transposed."""
        return self._replace(tensor=self.tensor.mT)

    def shaped(self, tensor: Tensor) -> "Operand":
        """The same elements in another shape."""
        return self._replace(tensor=tensor)


@dataclass(frozen=True)
class Plan:
    """What a product needs to know beside its tensors."""

    site: Site
    a: Operand
    b: Operand
    key: Key | None
    dtype: torch.dtype

    def part(self, number: int) -> Key | None:
        """The key of the forward product (0), of those of a (1) and b (2), of errors (3)."""
        return None if self.key is None else self.key.fold(number)


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
    plan = Plan(site, a.shaped(empty), b.shaped(empty), site.key, result_dtype(a, b))
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
            return multiply(plan.site, left, right, plan.part(0), "forward", start).to(plan.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        """``e @ b^T`` and ``a^T @ e``, summed over what was broadcast; c's is the sum of ``e``."""
        plan, (a, b), site = ctx.plan, ctx.saved_tensors, ctx.plan.site
        da = db = dc = None
        with site.inside():
            error = errors(site, e, plan.part(3))
            if ctx.needs_input_grad[0]:
                right = plan.b.shaped(b)
                da = multiply(site, error, right, plan.part(1), "backward").sum_to_size(a.shape)
            if ctx.needs_input_grad[1]:
                turned = b.stride(-2) == 1 and b.stride(-1) != 1
                left, key = plan.a.shaped(a.mT), plan.part(2)
                db = multiply(site, left, error.mT, key, "backward", turned=turned)
                db = db.sum_to_size(b.shape)
            if ctx.c is not None and ctx.needs_input_grad[2]:
                dc = working(e).sum_to_size(ctx.c[0]).to(ctx.c[1])
        return _as(da, a), _as(db, b), dc, None


def _as(grad: Tensor | None, x: Tensor) -> Tensor | None:
    return None if grad is None else grad.to(x.dtype)


def errors(site: Site, e: Tensor, key: Key | None) -> Operand:
    """Errors as they enter backward products.

    Raises:
        NotImplementedError: several backward passes at once.
    """
    if torch._C._functorch.is_legacy_batchedtensor(e):
        raise NotImplementedError(
            f"{site.op}: simulated products take the gradients of one backward pass; write "
            "is_grads_batched=False (vectorize=False), and call it once for each"
        )
    if not shared(site.chip, "errors"):
        return Operand(working(e), "errors", e.dtype)
    elements = store(site.chip, e, "errors", key)
    return Operand(elements.values, "errors", e.dtype, True, elements.scale)


def multiply(
    site: Site,
    a: Operand,
    b: Operand,
    key: Key | None,
    direction: str,
    c: Tensor | None = None,
    turned: bool = False,
) -> Tensor:
    """(..., M, K) times (..., N, K) transposed, plus c; ``turned`` asks for rows along memory."""
    roles = (a.role, b.role)
    double = torch.float64 in (a.tensor.dtype, b.tensor.dtype)
    unit = unit_for(site.chip, roles, double) if site.exact else ""
    reason = unit if isinstance(unit, str) else ""
    if not isinstance(unit, str):
        site.check_host(a.tensor)
    site.note(direction, roles, (a.tensor.shape, b.tensor.mT.shape), reason)
    if not isinstance(unit, str):
        chip, as_roles = unit
        left = _for_engine(chip, a, as_roles[0], key, 0)
        right = _for_engine(chip, b, as_roles[1], key, 1)
        start = None if c is None else np.atleast_2d(c.numpy())
        found = multiply_stored(chip, left, right, start, as_roles, None, Call(key, "auto"))
        return working(torch.from_numpy(found))
    return single(_in_torch(site, a, key, 0), _in_torch(site, b, key, 1), c, turned)


def _for_engine(chip: Any, x: Operand, role: str, key: Key | None, number: int) -> Stored:
    if x.stored:
        scale = None if x.scale is None else x.scale.reshape((1,) * x.tensor.ndim).numpy()
        return Stored(x.tensor.numpy(), scale)
    numbers = working(x.tensor).numpy()
    return store_along_k(chip, numbers, role, key and key.fold(number), "auto")


def _in_torch(site: Site, x: Operand, key: Key | None, number: int) -> Elements:
    if x.stored:
        return Elements(x.tensor, x.scale)
    elements = store(site.chip, x.tensor, x.role, key and key.fold(number))
    return Elements(decoded(elements), None)


def single(a: Elements, b: Elements, c: Tensor | None, turned: bool) -> Tensor:
    """torch's own product in float32 (float64); scales go to the smaller operand."""
    x, y = a.values, b.values.mT
    factor = combined(a.scale, b.scale)
    if factor is not None:
        x, y = (x * factor, y) if x.numel() < y.numel() else (x, y * factor)
    if turned:
        return torch.matmul(y.mT, x.mT).mT
    if c is not None and x.ndim == y.ndim == 2:
        return torch.addmm(c, x, y)
    result = torch.matmul(x, y)
    return result if c is None else result + c


def combined(a: Tensor | None, b: Tensor | None) -> Tensor | None:
    """The product of two scales, where there are any."""
    if a is None or b is None:
        return a if b is None else b
    return a * b
