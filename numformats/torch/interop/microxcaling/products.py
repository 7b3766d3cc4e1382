"""Matrix products with rounded operands: the calls ``mx.linear``, ``mx.matmul``, ``mx.bmm``."""

from __future__ import annotations

import torch
from torch import Tensor

from numformats.checks import choice
from numformats.torch.interop.microxcaling.product import BACK, LINEAR, Sides, product
from numformats.torch.interop.microxcaling.specs import Specs, apply_mx_specs


def linear(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    mx_specs: Specs | None = None,
    name: str | None = None,
) -> Tensor:
    """``torch.nn.functional.linear`` with rounded operands, forward and backward.

    Operands are rounded element by element, then in blocks along the axis that the product sums
    over; torch multiplies; the result is rounded element by element. The gradient of the weight
    has blocks along the axis before the last of ``input``.

    Args:
        input: (..., in), float32.
        weight: (out, in).
        bias: (out,) or None.
        mx_specs: None: torch's own function.
        name: not used.

    Returns:
        (..., out). Promise: operands are those of ``quantize_mx_op``; sums are torch's.

    Raises:
        TypeError, ValueError: as ``quantize_mx_op`` and ``quantize_elemwise_op``.

    Example:
        >>> specs = {"a_elem_format": "fp4", "w_elem_format": "fp4", "block_size": 32}
        >>> linear(torch.tensor([[1.1, 4.0]]), torch.tensor([[1.0, 1.0]]), mx_specs=specs)
        tensor([[5.]])
    """
    if mx_specs is None:
        return torch.nn.functional.linear(input, weight, bias)
    specs = apply_mx_specs(mx_specs)
    rows = input if input.ndim > 1 else input.unsqueeze(0)
    out = product(rows, weight.t(), bias, specs, LINEAR)
    return out if input.ndim > 1 else out.squeeze(0)


def matmul(
    in1: Tensor,
    in2: Tensor,
    bias: Tensor | None = None,
    mx_specs: Specs | None = None,
    name: str | None = None,
    mode_config: str = "aa",
) -> Tensor:
    """``in1 @ in2 (+ bias)`` with rounded operands, forward and backward; as ``linear``.

    Args:
        in1: (..., M, K).
        in2: (..., K, N).
        bias: (N,), also with axes of length 1 before, or None.
        mx_specs: None: torch's own function.
        name: not used.
        mode_config: which operand is an activation (a) and which a weight (w): ``"aa"``, ``"aw"``
            or ``"wa"``.

    Returns, Raises: as ``linear``.

    Example:
        >>> specs = {"a_elem_format": "fp4", "block_size": 32}
        >>> matmul(torch.tensor([[1.1, 4.0]]), torch.ones(2, 1), mx_specs=specs)
        tensor([[5.]])
    """
    choice("mode_config", mode_config, ("aa", "aw", "wa"))
    if mx_specs is None:
        return in1 @ in2 if bias is None else in1 @ in2 + bias
    near, far = mode_config[0], mode_config[1]
    sides = Sides(f"{near}_elem_format", f"{far}_elem_format", BACK[near], BACK[far])
    return product(in1, in2, bias, apply_mx_specs(mx_specs), sides)


def bmm(in1: Tensor, in2: Tensor, mx_specs: Specs | None = None, name: str | None = None) -> Tensor:
    """``matmul`` of two activations of equal leading axes: (..., M, K) @ (..., K, N)."""
    return matmul(in1, in2, mx_specs=mx_specs, name=name)
