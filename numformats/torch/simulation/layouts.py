"""How tensors lie in memory, and those of convolutions as matrices, and back. Several groups are a
batch of matrices.
"""

from collections.abc import Iterable, Sequence

import torch

Tensor = torch.Tensor
CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}


def laid(x: Tensor, operands: Iterable[Tensor]) -> Tensor:
    """``x`` as torch lays the result of a convolution: contiguous, or with channels innermost where
    one of ``operands`` has them so.
    """
    form = CHANNELS_LAST.get(x.ndim)
    if form is not None and any(
        each.ndim == x.ndim and not each.is_contiguous() and each.is_contiguous(memory_format=form)
        for each in operands
    ):
        return x.contiguous(memory_format=form)
    return x.contiguous()


def batch(groups: int) -> tuple[int, ...]:
    """The leading axes of the matrices of ``groups``."""
    return (groups,) if groups > 1 else ()


def groups_of(matrix: Tensor) -> int:
    """How many matrices there are."""
    return matrix.shape[0] if matrix.ndim == 3 else 1


def matrix_of_filters(w: Tensor, groups: int) -> Tensor:
    """(groups * N, C, *taps) as ([groups,] N, taps * C): rows in the order of windows."""
    rows = w.movedim(1, -1).flatten(1)
    return rows.unflatten(0, (groups, w.shape[0] // groups)) if groups > 1 else rows


def filters_of_matrix(matrix: Tensor, shape: Sequence[int]) -> Tensor:
    """([groups,] N, taps * C) as filters of ``shape``, (groups * N, C, *taps)."""
    count, channels, *taps = shape
    return matrix.reshape(count, *taps, channels).movedim(-1, 1)


def matrix_of_pixels(x: Tensor, groups: int) -> Tensor:
    """(B, groups * C, *places) as ([groups,] B * places, C)."""
    rows = x.movedim(1, -1).flatten(0, -2)
    return rows.unflatten(-1, (groups, x.shape[1] // groups)).movedim(1, 0) if groups > 1 else rows


def pixels_of_matrix(matrix: Tensor, samples: int, places: Sequence[int]) -> Tensor:
    """([groups,] B * places, C) as (B, groups * C, *places)."""
    rows = matrix.movedim(0, 1).flatten(1) if matrix.ndim == 3 else matrix
    pixels: Tensor = rows.unflatten(0, (samples, *places)).movedim(-1, 1)
    return pixels
