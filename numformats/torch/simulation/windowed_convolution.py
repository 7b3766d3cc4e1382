"""Convolutions as products of windows and filters, which keep the input for the backward pass, not
its windows.

k goes over taps, then channels. Where blocks end with the channels of a tap, the stored elements of
a pixel are the same in all windows: the fast mode then stores the input once and lets torch
convolve, and windows are cut for the gradient of the filters alone.
"""

from functools import cache
from typing import Any, NamedTuple

import torch

from numformats.accelerators import Accelerator
from numformats.formats import BlockFloat
from numformats.rounding import find
from numformats.torch.simulation.layouts import (
    filters_of_matrix,
    laid,
    matrix_of_filters,
    matrix_of_pixels,
    pixels_of_matrix,
)
from numformats.torch.simulation.multiplying import Operand, combined, in_torch, multiply
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import Plan, errors, of_bias, result_dtype
from numformats.torch.simulation.storing import Elements, decoded, working
from numformats.torch.simulation.windows import Columns, Sizes, Summed, Windows

Tensor = torch.Tensor


class How(NamedTuple):
    """A convolution but for its tensors."""

    plan: Plan
    windows: Windows
    places: Sizes
    groups: int
    once: bool  #: whether the input is stored once, for torch's own convolution

    @property
    def arguments(self) -> tuple[Any, ...]:
        """Of ``torch.convolution``, after the bias."""
        return self.windows.arguments(self.groups)


@cache
def _block(chip: Accelerator, role: str) -> tuple[int, bool]:
    """Elements along k that are stored together, and whether the whole tensor counts, too; 0 where
    elements of other rows or the number of an element count."""
    fmt, scaling = chip.storage(role), chip.scaling_of(role)
    if find(chip.rounding_of(role)).stochastic:
        return 0, False
    if isinstance(fmt, BlockFloat):
        size = fmt.block_size
        return (size, fmt.tensor_scale) if isinstance(size, int) else (0, False)
    if scaling is not None:
        rows, inner = scaling.block or (0, 0)
        return (inner if rows == 1 else 0), False
    return 1, False


def _once(site: Site, x: Operand, windows: Windows, groups: int) -> bool:
    """Whether the stored elements of a pixel are the same in all windows, in the fast mode."""
    size, whole = (1, False) if x.stored else _block(site.chip, x.role)
    fits = size > 0 and x.tensor.shape[1] // groups % size == 0
    return not site.exact and fits and not (whole and not windows.cover(x.tensor.shape[2:]))


def convolve(
    site: Site, x: Operand, w: Operand, bias: Tensor | None, windows: Windows, groups: int
) -> Tensor:
    """The convolution, differentiable."""
    once = _once(site, x, windows, groups)
    tensor, windows = windows.evened(x.tensor)
    shells, key = (x.shaped(tensor.new_empty(0)), w.shaped(tensor.new_empty(0))), site.key
    plan = Plan(site, *shells, key, result_dtype(x, w), key and key.fold(0))
    how = How(plan, windows, windows.count(tuple(tensor.shape[2:])), groups, once)
    start = None if bias is None else site.cast(bias)
    result: Tensor = Convolution.apply(tensor, w.tensor, start, how)
    return result


class Convolution(torch.autograd.Function):
    """The product of windows and filters, and its backward products."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, how: How) -> Tensor:
        """The forward product."""
        ctx.save_for_backward(x, w)
        ctx.how, ctx.bias = how, None if bias is None else bias.dtype
        with how.plan.site.inside():
            forward = _forward_in_torch if how.once else _forward
            return forward(x, w, None if bias is None else working(bias), how).to(how.plan.dtype)

    @staticmethod
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        """Both backward products, and the sum of ``e``."""
        how, (x, w) = ctx.how, ctx.saved_tensors
        plan, site = how.plan, how.plan.site
        dx = dw = db = None
        with site.inside():
            error = errors(site, matrix_of_pixels(e, how.groups), plan.part(3))
            if ctx.needs_input_grad[0]:
                differentiable = torch.is_grad_enabled() or not how.once
                back = _back if differentiable else _back_in_torch
                dx = laid(back(error, x, w, how).to(x.dtype), (x,))
            if ctx.needs_input_grad[1]:
                cut = Columns.apply(x, how.windows, how.groups, how.places, site)
                rows = plan.back(plan.a.shaped(cut.mT), error, 2, turned=True)
                dw = filters_of_matrix(rows.mT, w.shape).to(w.dtype)
            if ctx.bias and ctx.needs_input_grad[2]:
                db = of_bias(e, ctx.bias)
        return dx, dw, db, None


def _forward(x: Tensor, w: Tensor, bias: Tensor | None, how: How) -> Tensor:
    """A product of matrices."""
    plan, groups = how.plan, how.groups
    rows = plan.a.shaped(how.windows.columns(x, groups, how.places))
    filters = plan.b.shaped(matrix_of_filters(w, groups))
    start = bias if bias is None or groups == 1 else bias.reshape(groups, 1, -1)
    flat = multiply(plan.site, rows, filters, plan.own, "forward", start)
    return laid(pixels_of_matrix(flat, x.shape[0], how.places), (x, w))


def _forward_in_torch(x: Tensor, w: Tensor, bias: Tensor | None, how: How) -> Tensor:
    """torch's convolution of stored operands."""
    plan, site, key = how.plan, how.plan.site, how.plan.own
    site.note("forward", (plan.a.role, plan.b.role), (x.shape, w.shape))
    pixels = in_torch(site, plan.a.shaped(x.movedim(1, -1)), key, 0)
    rows = in_torch(site, plan.b.shaped(matrix_of_filters(w, how.groups)), key, 1)
    filters = _filters(rows.values, rows.scale, pixels.scale, w)
    return torch.convolution(pixels.values.movedim(-1, 1), filters, bias, *how.arguments)


def _back(error: Operand, x: Tensor, w: Tensor, how: How) -> Tensor:
    """The gradient of ``x`` as a product of matrices, which is differentiable."""
    taps = how.plan.back(error, how.plan.b.shaped(matrix_of_filters(w, how.groups)), 1)
    place = x.shape[0], tuple(x.shape[2:]), how.places
    result: Tensor = Summed.apply(taps, how.windows, *place, how.plan.site)
    return result


def _back_in_torch(error: Operand, x: Tensor, w: Tensor, how: How) -> Tensor:
    """The gradient of ``x`` by torch's convolution, of the same stored operands."""
    plan, site, key = how.plan, how.plan.site, how.plan.part(1)
    kept = in_torch(site, error, key, 0)
    columns = in_torch(site, plan.b.shaped(matrix_of_filters(w, how.groups).mT), key, 1)
    filters = _filters(columns.values.mT, columns.scale, kept.scale, w)
    e = pixels_of_matrix(kept.values, x.shape[0], how.places)
    site.note("backward", (error.role, plan.b.role), (e.shape, w.shape))
    dx: Tensor = torch.ops.aten.convolution_backward(
        e, x, filters, None, *how.arguments, [True, False, False]
    )[0]
    return dx


def _filters(matrix: Tensor, scale: Tensor | None, other: Tensor | None, w: Tensor) -> Tensor:
    """Stored filters as ``torch.convolution`` takes them, times both scales."""
    filters = laid(filters_of_matrix(matrix, w.shape), (w,))
    return decoded(Elements(filters, combined(scale, other)))
