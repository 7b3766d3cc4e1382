"""Arithmetic on tensors of which every step is rounded: ``mx.simd_add`` and its kin.

Operands are rounded, then results; errors and each step of gradients likewise. A gradient of what
was broadcast is rounded, summed and rounded. Without ``mx_specs`` the functions are torch's.
"""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.simd_steps import (
    ADD,
    DIV,
    LOGARITHM,
    MUL,
    POWER,
    ROOT,
    SQUARE,
    SUB,
    Split,
    of_two,
    summed,
)
from numformats.torch.interop.microxcaling.specs import Specs, apply_mx_specs
from numformats.torch.interop.microxcaling.vector_ops import Number, stepped


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
    return in1 + in2 if mx_specs is None else of_two(ADD, in1, in2, mx_specs)


def simd_sub(in1: Tensor, in2: Number, mx_specs: Specs | None = None) -> Tensor:
    """in1 - in2; as ``simd_add``, but that the first gradient is not rounded."""
    return in1 - in2 if mx_specs is None else of_two(SUB, in1, in2, mx_specs)


def simd_mul(in1: Tensor, in2: Number, mx_specs: Specs | None = None) -> Tensor:
    """in1 in2; as ``simd_add``."""
    return in1 * in2 if mx_specs is None else of_two(MUL, in1, in2, mx_specs)


def simd_div(in1: Tensor, in2: Number, mx_specs: Specs | None = None) -> Tensor:
    """in1 / in2; as ``simd_add``."""
    return in1 / in2 if mx_specs is None else of_two(DIV, in1, in2, mx_specs)


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
    return summed(in1, _axes(in1, dim), keepdim, mx_specs)


def simd_reduce_mean(
    in1: Tensor, dim: int | list[int], keepdim: bool = False, mx_specs: Specs | None = None
) -> Tensor:
    """The rounded sum over ``dim`` times one over its length; as ``simd_add``."""
    if mx_specs is None:
        return torch.mean(in1, dim, keepdim=keepdim)
    length = prod(in1.shape[axis] for axis in _axes(in1, dim))
    return simd_mul(simd_reduce_sum(in1, dim, keepdim, mx_specs), 1 / length, mx_specs)


def _axes(x: Tensor, dim: int | list[int]) -> list[int]:
    """None of them are all, as of ``torch.sum``."""
    return [dim] if isinstance(dim, int) else list(dim) or list(range(x.ndim))


def simd_norm(in1: Tensor, keepdim: bool = False, mx_specs: Specs | None = None) -> Tensor:
    """The square root of the sum of squares of all elements; as ``simd_add``."""
    if mx_specs is None:
        found: Tensor = torch.linalg.norm(in1, keepdim=keepdim)
        return found
    squares = simd_square(in1, mx_specs)
    return simd_sqrt(simd_reduce_sum(squares, list(range(in1.ndim)), keepdim, mx_specs), mx_specs)
