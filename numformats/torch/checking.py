"""What the rounding of tensors refuses, and what to write instead."""

from __future__ import annotations

import torch

from numformats.checks import choice
from numformats.torch.direction import Direction
from numformats.torch.ops import CARRIERS

GRADIENTS = ("straight_through", "clipped")


def check_tensor(x: object) -> None:
    """Refuse what is no dense tensor of a carrier's dtype."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(
            f"x is a {type(x).__name__}; give a torch.Tensor, or use numformats.quantize"
        )
    if x.is_nested:
        raise TypeError("x is nested; write x.to_padded_tensor(0.0), or quantize x.values()")
    if x.layout is not torch.strided:
        raise TypeError(f"x has layout {x.layout}; write x.to_dense()")
    if x.dtype not in CARRIERS:
        known = ", ".join(str(dtype).removeprefix("torch.") for dtype in CARRIERS)
        remedy = "torch.view_as_real(x)" if x.is_complex() else "x.float()"
        raise TypeError(f"x has dtype {x.dtype}; formats are emulated in {known}: write {remedy}")


def check_gradient(gradient: str, forward: Direction) -> None:
    """Refuse unknown gradients, and clipping where nothing saturates."""
    choice("gradient", gradient, GRADIENTS)
    if gradient == "clipped" and forward.fmt is None:
        raise ValueError(
            "gradient='clipped' stops where values saturate, and forward=None leaves them as they "
            "are; give a forward format, or write gradient='straight_through'"
        )
