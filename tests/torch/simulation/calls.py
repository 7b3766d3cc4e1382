"""Every call that is intercepted, with arguments: the registry that tests run over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

Tensor = torch.Tensor


class Case(NamedTuple):
    """A call, the shapes of its differentiable arguments, and which of them are parameters."""

    call: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...]
    parameters: tuple[int, ...] = ()


MASK = torch.tensor([[True, False, True, True]] * 3)
CASES: dict[str, Case] = {
    "linear": Case(F.linear, ((5, 6), (4, 6), (4,)), (1, 2)),
    "linear of a vector": Case(F.linear, ((6,), (4, 6)), (1,)),
    "linear with more axes": Case(F.linear, ((2, 3, 6), (4, 6), (4,)), (1, 2)),
    "linear with a vector of weights": Case(F.linear, ((5, 6), (6,)), (1,)),
    "matmul": Case(torch.matmul, ((5, 6), (6, 4))),
    "@ with weights": Case(lambda a, b: a @ b, ((2, 5, 6), (6, 4)), (1,)),
    "weights @": Case(lambda a, b: a @ b, ((5, 6), (2, 6, 4)), (0,)),
    "weights transposed": Case(lambda a, b: a @ b.T, ((5, 6), (4, 6)), (1,)),
    "broadcast": Case(torch.matmul, ((3, 1, 5, 6), (2, 6, 4))),
    "matrix and vector": Case(torch.matmul, ((5, 6), (6,))),
    "vector and matrix": Case(torch.matmul, ((6,), (6, 4))),
    "vector and vector": Case(torch.matmul, ((6,), (6,))),
    "vector and batch": Case(torch.matmul, ((6,), (3, 6, 4))),
    "batch and vector": Case(torch.matmul, ((3, 5, 6), (6,))),
    "method": Case(lambda a, b: a.matmul(b), ((5, 6), (6, 4))),
    "linalg": Case(torch.linalg.matmul, ((5, 6), (6, 4))),
    "mm": Case(torch.mm, ((5, 6), (6, 4))),
    "bmm": Case(torch.bmm, ((2, 5, 6), (2, 6, 4))),
    "mv": Case(torch.mv, ((5, 6), (6,)), (0,)),
    "dot": Case(torch.dot, ((6,), (6,))),
    "vdot": Case(torch.vdot, ((6,), (6,))),
    "vecdot": Case(lambda a, b: torch.linalg.vecdot(a, b, dim=0), ((6, 3), (6, 3))),
    "vecdot, broadcast": Case(torch.linalg.vecdot, ((3, 6), (3, 1))),
    "inner": Case(torch.inner, ((2, 3, 6), (4, 6))),
    "addmm": Case(torch.addmm, ((5, 4), (5, 6), (6, 4))),
    "addmm with factors": Case(
        lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=2), ((4,), (5, 6), (6, 4))
    ),
    "addmm without what is added": Case(
        lambda c, a, b: torch.addmm(c, a, b, beta=0), ((4,), (5, 6), (6, 4))
    ),
    "addmm to weights": Case(torch.addmm, ((4,), (5, 6), (6, 4)), (1,)),
    "addmm_": Case(lambda c, a, b: (c + 0).addmm_(a, b), ((5, 4), (5, 6), (6, 4))),
    "baddbmm": Case(
        lambda c, a, b: torch.baddbmm(input=c, batch1=a, batch2=b), ((5, 4), (2, 5, 6), (2, 6, 4))),
    "addbmm": Case(torch.addbmm, ((5, 4), (2, 5, 6), (2, 6, 4))),
    "addmv": Case(torch.addmv, ((5,), (5, 6), (6,))),
    "addr": Case(torch.addr, ((5, 4), (5,), (4,))),
    "addr_": Case(lambda c, a, b: (c + 0).addr_(a, b, beta=0.5), ((5, 4), (5,), (4,))),
    "multi_dot": Case(lambda *m: torch.linalg.multi_dot(m), ((3, 4), (4, 5), (5, 2))),
    "tensordot": Case(lambda a, b: torch.tensordot(a, b, ([2, 0], [1, 2])), ((2, 3, 6), (4, 6, 2))),
    "einsum": Case(lambda a, b: torch.einsum("bij,oj->bio", a, b), ((2, 3, 6), (4, 6)), (1,)),
    "einsum, batched": Case(
        lambda a, b: torch.einsum("bihd,bjhd->bhij", a, b), ((2, 3, 2, 6), (2, 5, 2, 6))
    ),
    "einsum, ellipsis": Case(lambda a, b: torch.einsum("...i,ij->...j", a, b), ((2, 3, 6), (6, 4))),
    "einsum, implicit": Case(lambda a, b: torch.einsum("ij,jk", a, b), ((3, 6), (6, 4))),
    "einsum, lists": Case(
        lambda a, b: torch.einsum(a, [0, 1], b, [1, 2], [2, 0]), ((3, 6), (6, 4))
    ),
    "einsum, summed axis": Case(lambda a, b: torch.einsum("aij,jk->ik", a, b), ((2, 3, 6), (6, 4))),
    "einsum, diagonal": Case(lambda a, b: torch.einsum("iij,jk->ik", a, b), ((3, 3, 6), (6, 4))),
    "einsum, three": Case(
        lambda a, b, c: torch.einsum("ij,jk,kl->il", a, b, c), ((3, 6), (6, 4), (4, 2))
    ),
    "bilinear without bias": Case(F.bilinear, ((5, 3), (5, 4), (2, 3, 4)), (2,)),
    "bilinear": Case(F.bilinear, ((5, 3), (5, 4), (2, 3, 4), (2,)), (2, 3)),
    "conv1d": Case(F.conv1d, ((2, 4, 9), (6, 4, 3), (6,)), (1, 2)),
    "conv2d": Case(
        lambda x, w, b: F.conv2d(x, w, b, stride=(2, 1), padding=(1, 2), dilation=(1, 2)),
        ((2, 4, 7, 9), (6, 4, 3, 3), (6,)), (1, 2),
    ),
    "conv2d in groups": Case(
        lambda x, w, b: F.conv2d(x, w, b, padding=1, groups=2), ((2, 4, 5, 5), (6, 2, 3, 3), (6,)),
        (1, 2),
    ),
    "conv2d, depthwise": Case(
        lambda x, w: F.conv2d(x, w, groups=4), ((2, 4, 5, 5), (8, 1, 3, 3)), (1,)
    ),
    "conv2d, same": Case(
        lambda x, w: F.conv2d(x, w, padding="same", dilation=(1, 3)), ((2, 4, 5, 9), (6, 4, 3, 2)),
        (1,),
    ),
    "conv2d, valid": Case(
        lambda x, w: F.conv2d(x, w, padding="valid"), ((2, 4, 5, 5), (6, 4, 3, 3)), (1,)
    ),
    "conv2d, no batch": Case(F.conv2d, ((4, 5, 5), (6, 4, 3, 3)), (1,)),
    "conv3d": Case(
        lambda x, w: F.conv3d(x, w, stride=2, padding=1), ((2, 3, 5, 4, 6), (4, 3, 3, 2, 3)), (1,)
    ),
    "convolution": Case(
        lambda x, w, b: torch.convolution(x, w, b, [2], [1], [1], False, [0], 2),
        ((2, 4, 7), (6, 2, 3), (6,)), (1, 2),
    ),
    "convolution, transposed": Case(
        lambda x, w: torch.convolution(x, w, None, [2], [1], [1], True, [1], 1),
        ((2, 4, 7), (4, 3, 3)), (1,),
    ),
    "conv_transpose2d, padded beyond its stride": Case(
        lambda x, w, b: F.conv_transpose2d(x, w, b, 1, 1, (2, 1), 2, (3, 2)),
        ((2, 4, 4, 3), (4, 3, 3, 2), (6,)), (1, 2),
    ),
    "conv_tbc": Case(
        lambda x, w, b: torch.conv_tbc(x, w, b, 1), ((7, 2, 4), (3, 4, 6), (6,)), (1, 2)
    ),
    "conv_transpose1d": Case(F.conv_transpose1d, ((2, 4, 7), (4, 3, 3), (3,)), (1, 2)),
    "conv_transpose2d": Case(
        lambda x, w, b: F.conv_transpose2d(
            x, w, b, stride=(2, 3), padding=1, output_padding=(1, 0), groups=2, dilation=(1, 2)
        ),
        ((2, 4, 5, 4), (4, 3, 3, 3), (6,)), (1, 2),
    ),
    "conv_transpose3d": Case(
        lambda x, w: F.conv_transpose3d(x, w, stride=2), ((1, 2, 3, 2, 3), (2, 3, 2, 3, 2)), (1,)
    ),
    "attention": Case(F.scaled_dot_product_attention, ((2, 3, 6), (2, 4, 6), (2, 4, 5))),
    "attention, causal": Case(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3),
        ((2, 2, 4, 6), (2, 2, 4, 6), (2, 2, 4, 5)),
    ),
    "attention, masked": Case(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=MASK),
        ((2, 3, 6), (2, 4, 6), (2, 4, 5)),
    ),
    "attention, biased": Case(
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        ((2, 3, 6), (2, 4, 6), (2, 4, 5), (3, 4)),
    ),
    "attention, grouped": Case(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, enable_gqa=True),
        ((2, 4, 3, 6), (2, 2, 5, 6), (2, 2, 5, 6)),
    ),
    "embedding": Case(lambda w: F.embedding(torch.tensor([[1, 2, 1]]), w), ((5, 6),), (0,)),
    "embedding_bag": Case(
        lambda w: F.embedding_bag(torch.tensor([[1, 2, 1]]), w, mode="sum"), ((5, 6),), (0,)
    ),
}  # fmt: skip

PRODUCTS = {name: case for name, case in CASES.items() if not name.startswith("embedding")}


def arguments(case: Case, dtype: torch.dtype = torch.float32, seed: int = 0) -> list[Tensor]:
    """Leaves that require gradients, parameters where the case says so."""
    maker = torch.Generator().manual_seed(seed)
    made = [torch.randn(s, generator=maker).to(dtype) for s in case.shapes]
    return [
        nn.Parameter(x) if n in case.parameters else x.requires_grad_() for n, x in enumerate(made)
    ]


def gradients(
    case: Case, values: list[Tensor], run: Callable[..., Any] | None = None
) -> list[Tensor]:
    """The result, and the gradients of its sum with fixed weights."""
    result = (run or case.call)(*values)
    seed = torch.linspace(-1, 1, result.numel(), dtype=result.dtype).reshape(result.shape)
    return [result.detach(), *torch.autograd.grad(result, values, seed)]
