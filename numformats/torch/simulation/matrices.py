"""Matrix products of torch as products on an accelerator: linear, matmul and their relatives."""

from collections.abc import Sequence
from typing import Any

import torch

from numformats.torch.simulation.arguments import alike, at_most, axes
from numformats.torch.simulation.handlers import intercepts
from numformats.torch.simulation.multiplying import Operand
from numformats.torch.simulation.operands import operand, role_of
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import product

Tensor = torch.Tensor
Scalar = int | float


def pair(site: Site, a: Tensor, b: Tensor) -> tuple[Operand, Operand]:
    """Both operands of a product, stored."""
    return operand(site, a, role_of(a), 0), operand(site, b, role_of(b), 1)


@intercepts("linear")
def linear(site: Site, input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias``."""
    if weight.ndim != 1 or bias is not None:
        axes(site.op, 2, weight=weight)
    if weight.ndim == 1:
        return linear(site, input, weight[None], bias).squeeze(-1)
    if input.ndim == 1:
        return linear(site, input[None], weight, bias)[0]
    x, w = operand(site, input, "activations", 0), operand(site, weight, "weights", 1)
    return product(site, x, w.mT, bias)


@intercepts("matmul", "linalg_matmul", "__matmul__")
def matmul(site: Site, input: Tensor, other: Tensor) -> Tensor:
    """Vectors, matrices and batches of them."""
    a, b = pair(site, input, other)
    x = a.shaped(a.tensor[None]) if input.ndim == 1 else a
    y = b.shaped(b.tensor[:, None]) if other.ndim == 1 else b
    result = product(site, x, y)
    result = result.squeeze(-1) if other.ndim == 1 else result
    return result.squeeze(-1 if other.ndim == 1 else -2) if input.ndim == 1 else result


@intercepts("mm", "bmm")
def mm(site: Site, input: Tensor, mat2: Tensor) -> Tensor:
    """Two matrices, or two batches of them."""
    axes(site.op, 2 if site.op == "mm" else 3, input=input, mat2=mat2)
    if site.op == "bmm":
        alike(site.op, 0, input=input, mat2=mat2)
    return product(site, *pair(site, input, mat2))


@intercepts("mv")
def mv(site: Site, input: Tensor, vec: Tensor) -> Tensor:
    """A matrix times a vector."""
    axes(site.op, 2, input=input)
    axes(site.op, 1, vec=vec)
    return matmul(site, input, vec)


@intercepts("dot")
def dot(site: Site, input: Tensor, tensor: Tensor) -> Tensor:
    """Two vectors."""
    axes(site.op, 1, input=input, tensor=tensor)
    return matmul(site, input, tensor)


@intercepts("vdot")
def vdot(site: Site, input: Tensor, other: Tensor) -> Tensor:
    """Two real vectors."""
    axes(site.op, 1, input=input, other=other)
    return matmul(site, input, other)


@intercepts("linalg_vecdot")
def vecdot(site: Site, x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """Vectors along one axis, pair by pair."""
    found = pair(site, x, y)
    tensors = torch.broadcast_tensors(*(p.tensor for p in found))
    rows, columns = (
        p.shaped(t.movedim(dim, -1).unsqueeze(-2)) for p, t in zip(found, tensors, strict=True)
    )
    return product(site, rows, columns.mT).flatten(-2).squeeze(-1)


@intercepts("inner")
def inner(site: Site, input: Tensor, other: Tensor) -> Tensor:
    """Products along the last axes."""
    if not input.ndim or not other.ndim:
        return input * other
    a, b = pair(site, input, other)
    flat = [x.shaped(x.tensor.reshape(-1, x.tensor.shape[-1])) for x in (a, b)]
    return product(site, flat[0], flat[1].mT).reshape(*input.shape[:-1], *other.shape[:-1])


def plus(site: Site, c: Tensor, beta: Scalar, a: Operand, b: Operand, alpha: Scalar) -> Tensor:
    """``beta * c + alpha * (a @ b)``: ``c`` goes to the accelerator, unless there are factors."""
    if (beta, alpha) == (1, 1):
        return product(site, a, b, c)
    result = product(site, a, b) * alpha
    if beta:
        return site.cast(c) * beta + result
    never = torch.zeros((), dtype=torch.bool, device=result.device)
    return torch.where(never, site.cast(c), result)  # NaN in c does not count; its gradient is 0


@intercepts("addmm")
def addmm(
    site: Site, input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1
) -> Tensor:
    """A product added to ``input``."""
    axes(site.op, 2, mat1=mat1, mat2=mat2)
    at_most(site.op, 2, input=input)
    return plus(site, input, beta, *pair(site, mat1, mat2), alpha)


@intercepts("baddbmm")
def baddbmm(
    site: Site,
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: Scalar = 1,
    alpha: Scalar = 1,
) -> Tensor:
    """A batch of products added to ``input``."""
    axes(site.op, 3, batch1=batch1, batch2=batch2)
    alike(site.op, 0, batch1=batch1, batch2=batch2)
    at_most(site.op, 3, input=input)
    return plus(site, input, beta, *pair(site, batch1, batch2), alpha)


@intercepts("addmv")
def addmv(
    site: Site, input: Tensor, mat: Tensor, vec: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1
) -> Tensor:
    """A matrix times a vector, added to ``input``."""
    axes(site.op, 2, mat=mat)
    axes(site.op, 1, vec=vec)
    at_most(site.op, 1, input=input)
    a, b = pair(site, mat, vec)
    c = input[:, None] if input.ndim else input
    return plus(site, c, beta, a, b.shaped(b.tensor[:, None]), alpha).squeeze(-1)


@intercepts("addbmm")
def addbmm(
    site: Site,
    input: Tensor,
    batch1: Tensor,
    batch2: Tensor,
    *,
    beta: Scalar = 1,
    alpha: Scalar = 1,
) -> Tensor:
    """The sum over the batch of products, added to ``input``: one product with batch and K as K."""
    axes(site.op, 3, batch1=batch1, batch2=batch2)
    alike(site.op, 0, batch1=batch1, batch2=batch2)
    at_most(site.op, 2, input=input)
    a, b = pair(site, batch1, batch2)
    left = a.shaped(a.tensor.transpose(0, 1).flatten(1))
    return plus(site, input, beta, left, b.shaped(b.tensor.flatten(0, 1)), alpha)


@intercepts("addr")
def addr(
    site: Site, input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Scalar = 1, alpha: Scalar = 1
) -> Tensor:
    """A column times a row, added to ``input``."""
    axes(site.op, 1, vec1=vec1, vec2=vec2)
    at_most(site.op, 2, input=input)
    a, b = pair(site, vec1, vec2)
    column, row = a.shaped(a.tensor[:, None]), b.shaped(b.tensor[None])
    return plus(site, input, beta, column, row, alpha)


@intercepts("linalg_multi_dot")
def multi_dot(site: Site, tensors: Sequence[Tensor]) -> Tensor:
    """Several matrices, from left to right; the first and the last may be vectors."""
    if len(tensors) < 2:
        raise ValueError(f"{site.op}: {len(tensors)} tensors; give two or more")
    at_most(site.op, 2, first=tensors[0], last=tensors[-1])
    axes(site.op, 2, **{f"tensor_{n}": x for n, x in enumerate(tensors[1:-1], 1)})
    result = tensors[0]
    for other in tensors[1:]:
        result = matmul(site.again(), result, other)
    return result


@intercepts("chain_matmul")
def chain_matmul(site: Site, *matrices: Any) -> Tensor:
    """Likewise."""
    given = matrices[0] if isinstance(matrices[0], list | tuple) else matrices
    return given[0] if len(given) == 1 else multi_dot(site, given)
