"""Tensors as an accelerator stores them.

Scalar formats with one scale a tensor, or none, are stored once and serve every product. Where
scales belong to blocks, rows or tiles along K, an operand is stored anew for every product.
"""

from functools import cache
from typing import Any, NamedTuple

import torch

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.accelerators.scaling import Scaling
from numformats.engines.job import all_are_values
from numformats.formats import BlockFloat, Format
from numformats.lanes import CARRIERS
from numformats.random import Key
from numformats.rounding import find

Tensor = torch.Tensor


class Elements(NamedTuple):
    """``values * scale``; ``scale`` is None, or float32 that broadcasts."""

    values: Tensor
    scale: Tensor | None


def working(x: Tensor) -> Tensor:
    """``x`` in float32, or in float64 where it came so."""
    return x if x.dtype == torch.float64 else x.float()


@cache
def keeps(chip: Accelerator, role: str, dtype: torch.dtype) -> bool:
    """Whether storing changes no number of ``dtype``."""
    fmt = chip.storage(role)
    if fmt is None:
        return True
    if isinstance(fmt, BlockFloat) or chip.scaling_of(role) is not None:
        return False
    return all_are_values(CARRIERS[str(dtype).removeprefix("torch.")], fmt)


@cache
def shared(chip: Accelerator, role: str) -> bool:
    """Whether one stored tensor serves all products."""
    fmt, scaling = chip.storage(role), chip.scaling_of(role)
    return not isinstance(fmt, BlockFloat) and (scaling is None or scaling.kind == "tensor")


def store(chip: Accelerator, x: Tensor, role: str, key: Key | None) -> Elements:
    """``x`` (..., outer, K) as ``accelerators.storing`` stores it, where ``x`` lies.

    Promise: the same bits, save that all scales but that of a tensor come multiplied in.
    """
    x = working(x.detach())
    if keeps(chip, role, x.dtype):
        return Elements(x, None)
    how = chip.rounding_of(role), key
    fmt, scaling = chip.storage(role), chip.scaling_of(role)
    assert fmt is not None
    if scaling is None or isinstance(fmt, BlockFloat):
        return Elements(rounded(x, fmt, *how), None)
    scale = _scales(scaling, x, float(fmt.max))
    if scaling.kind == "tensor":
        return Elements(rounded(x / scale, fmt, *how), scale)
    return Elements(_in_runs(x, scale, scaling.inner, fmt, how), None)


def _in_runs(
    x: Tensor, scale: Tensor, inner: int | None, fmt: Format, how: tuple[str, Key | None]
) -> Tensor:
    """Stored numbers of ``x`` (..., outer, K), one scale for each ``inner`` elements along K."""
    k = x.shape[-1]
    if inner is None or k % inner:
        wide = scale if inner is None else scale.repeat_interleave(inner, -1)[..., :k]
        return rounded(x / wide, fmt, *how).mul_(wide)
    runs, wide = (k // inner, inner), scale.unsqueeze(-1)
    values = rounded((x.unflatten(-1, runs) / wide).flatten(-2), fmt, *how)
    values.unflatten(-1, runs).mul_(wide)
    return values


def rounded(x: Tensor, fmt: Format, rounding: str, key: Key | None) -> Tensor:
    """``nf.quantize``; where that takes other layouts by way of copies, one of them is left out."""
    copies = find(rounding).stochastic or x.device.type != "cpu"
    laid = x.detach().contiguous() if copies else x.detach()
    found: Tensor = nf.quantize(laid, fmt, rounding, key=key)
    return found


class Through(torch.autograd.Function):
    """What is stored, with the gradient of what it is stored from."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, values: Tensor) -> Tensor:
        """What is stored."""
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        """Straight through."""
        return grad, None


def through(x: Tensor, values: Tensor) -> Tensor:
    """``values``, which ``x`` is stored as, with the gradient of ``x`` where there is to be one."""
    if not (torch.is_grad_enabled() and x.requires_grad):
        return values
    result: Tensor = Through.apply(x, values)
    return result


def _scales(scaling: Scaling, x: Tensor, largest: float) -> Tensor:
    amax = _amax(scaling, x)
    scale = scaling.from_largest(amax.cpu().numpy(), largest)
    return torch.from_numpy(scale).to(x.device)


def _amax(scaling: Scaling, x: Tensor) -> Tensor:
    """The largest finite magnitude of all that share a scale."""
    if scaling.kind == "tensor":
        if not x.numel():
            return x.new_zeros(())
        low, high = torch.aminmax(x)
        most = torch.maximum(-low, high)
        return most if most.isfinite() else _finite(x).abs().amax()
    outer, k = x.shape[-2:]
    rows, inner = scaling.block or (1, max(k, 1))
    if not x.numel():
        return x.new_zeros((*x.shape[:-1], -(-k // inner)))
    most = _largest(torch.nn.functional.pad(x, (0, -k % inner)) if k % inner else x, inner)
    if not most.isfinite().all():
        return _amax(scaling, _finite(x))
    if rows == 1:
        return most
    tiles = torch.nn.functional.pad(most, (0, 0, 0, -outer % rows)).unflatten(-2, (-1, rows))
    spread: Tensor = tiles.amax(-2).repeat_interleave(rows, -2)
    return spread[..., :outer, :]


def _largest(x: Tensor, inner: int) -> Tensor:
    """The largest magnitude of every ``inner`` elements along the last axis, read in the order of
    memory (torch reduces other orders many times slower)."""
    steps = x.stride()
    order = sorted(range(x.ndim), key=lambda axis: -steps[axis])
    at = order.index(x.ndim - 1)
    runs = x.permute(order).unflatten(at, (-1, inner))
    most = torch.maximum(runs.amax(at + 1), -runs.amin(at + 1))
    return most.permute([order.index(axis) for axis in range(x.ndim)])


def _finite(x: Tensor) -> Tensor:
    return torch.where(x.isfinite(), x, 0.0)


def decoded(elements: Elements) -> Tensor:
    """The numbers that were stored."""
    return elements.values if elements.scale is None else elements.values * elements.scale
