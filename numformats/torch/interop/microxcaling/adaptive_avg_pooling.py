"""Adaptive average pooling of which every step is rounded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor

from numformats.torch.interop.microxcaling.specified import Specified
from numformats.torch.interop.microxcaling.specs import Specs
from numformats.torch.interop.microxcaling.vector_ops import Formula, Vector, stepped

Sizes = tuple[int, int]
Size = int | tuple[int | None, int | None] | None


def _bins(length: int, count: int) -> list[slice]:
    """What of an axis each result is the mean of."""
    return [slice(n * length // count, -(-(n + 1) * length // count)) for n in range(count)]


def _places(
    shape: tuple[int, int], size: tuple[int, int]
) -> Iterator[tuple[int, int, tuple[slice, slice]]]:
    for row, rows in enumerate(_bins(shape[0], size[0])):
        for column, columns in enumerate(_bins(shape[1], size[1])):
            yield row, column, (rows, columns)


def _forward(v: Vector, x: Tensor, size: Sizes) -> tuple[Tensor, tuple[()]]:
    y = x.new_empty(*x.shape[:-2], *size)
    for row, column, bins in _places((x.shape[-2], x.shape[-1]), size):
        y[..., row, column] = v.mean(x[(..., *bins)], (-2, -1))
    return y, ()


def _backward(v: Vector, error: Tensor, shape: Sizes) -> tuple[Tensor]:
    dx = error.new_zeros(*error.shape[:-2], *shape)
    for row, column, bins in _places(shape, (error.shape[-2], error.shape[-1])):
        part = dx[(..., *bins)]
        share = error[..., row, column] / part.shape[-2] / part.shape[-1]
        part.copy_(v.add(part, share[..., None, None]))
    return (dx,)


def adaptive_avg_pool2d(
    input: Tensor, output_size: Size, mx_specs: Specs | None = None, name: str | None = None
) -> Tensor:
    """``torch.nn.functional.adaptive_avg_pool2d``: of each bin the rounded sum, divided and
    rounded; gradients are added bin by bin, each sum rounded.

    Args:
        input: ([N,] C, H, W).
        output_size: (H', W'), or one number for both; None leaves an axis as it is.
        mx_specs: ``bfloat`` or ``fp``, ``round``, ``vec_use_recip``; None: torch's own function.
        name: not used.

    Returns:
        ([N,] C, H', W'). Promise: steps are torch's, in the tensor's dtype, rounded by
        ``quantize_elemwise_op``.

    Raises:
        TypeError, ValueError: as ``quantize_elemwise_op``; an input of other axes, a size that is
            not above 0.

    Example:
        >>> adaptive_avg_pool2d(torch.tensor([[[1.0, 3.0]]]), 1, {"bfloat": 16}).item()
        2.0
    """
    if mx_specs is None:
        return torch.nn.functional.adaptive_avg_pool2d(input, output_size)
    asked = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    if input.ndim not in (3, 4) or len(asked) != 2:
        raise ValueError(
            f"input of shape {tuple(input.shape)} and output_size={output_size}; write ([N,] C, H, "
            "W) and (H', W')"
        )
    shape = input.shape[-2], input.shape[-1]
    size = asked[0] or shape[0], asked[1] or shape[1]
    if min(size) < 1:
        raise ValueError(f"output_size={output_size}; write numbers above 0, or None")
    formula = Formula(partial(_forward, size=size), partial(_backward, shape=shape))
    return stepped(formula, mx_specs, input)


class AdaptiveAvgPool2d(Specified, torch.nn.AdaptiveAvgPool2d):
    """``torch.nn.AdaptiveAvgPool2d`` by ``adaptive_avg_pool2d``.

    Args:
        output_size: (H', W'), or one number for both; None leaves an axis as it is.
        mx_specs: None: torch's own layer.
        name: kept.

    Raises:
        ValueError: an unknown key of ``mx_specs``.

    Example:
        >>> AdaptiveAvgPool2d(1, {"bfloat": 16})(torch.ones(1, 2, 3, 3)).shape
        torch.Size([1, 2, 1, 1])
    """

    def __init__(
        self, output_size: Size, mx_specs: Specs | None = None, name: str | None = None
    ) -> None:
        super().__init__(output_size)
        self.specify(mx_specs, name)

    def forward(self, input: Tensor) -> Tensor:
        """([N,] C, H, W) to ([N,] C, H', W')."""
        return adaptive_avg_pool2d(input, self.output_size, self.mx_specs)
