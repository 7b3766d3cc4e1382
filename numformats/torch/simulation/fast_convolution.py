"""torch's own convolution on stored operands, for the fast mode."""

from typing import Any, NamedTuple

import torch

from numformats.random import Key
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import Operand, combined, errors, result_dtype
from numformats.torch.simulation.storing import Elements, decoded, shared, working
from numformats.torch.simulation.windows import Windows

Tensor = torch.Tensor


class Plan(NamedTuple):
    """What a convolution needs to know beside its tensors."""

    site: Site
    x_scale: Tensor | None
    w_scale: Tensor | None
    key: Key | None
    dtype: torch.dtype
    arguments: tuple[Any, ...]  # stride, padding, dilation, transposed, output_padding, groups


def takes(site: Site, x: Operand, w: Operand) -> bool:
    """Whether what is stored once serves the whole convolution."""
    return not site.exact and x.stored and w.stored and shared(site.chip, "errors")


def convolve(
    site: Site,
    x: Operand,
    w: Operand,
    bias: Tensor | None,
    windows: Windows,
    groups: int,
    output_padding: tuple[int, ...] | None = None,
) -> Tensor:
    """The convolution of stored operands, differentiable."""
    before = [min(p) for p in windows.padding]
    odd = [n for p in reversed(windows.padding) for n in (p[0] - min(p), p[1] - min(p))]
    tensor = torch.nn.functional.pad(x.tensor, odd) if any(odd) else x.tensor
    transposed = output_padding is not None
    more = output_padding or (0,) * len(before)
    arguments = (windows.stride, before, windows.dilation, transposed, more, groups)
    plan = Plan(site, x.scale, w.scale, site.key, result_dtype(x, w), arguments)
    start = None if bias is None else site.cast(bias)
    result: Tensor = Convolution.apply(tensor, w.tensor, start, plan)
    return result


class Convolution(torch.autograd.Function):
    """``aten::convolution`` with stored operands, and its backward with stored errors."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, bias: Tensor | None, plan: Plan) -> Tensor:
        """The forward product; scales go into the filters."""
        ctx.save_for_backward(x, w)
        ctx.plan, ctx.bias = plan, None if bias is None else bias.dtype
        with plan.site.inside():
            filters = decoded(Elements(w, combined(plan.x_scale, plan.w_scale)))
            start = None if bias is None else working(bias)
            plan.site.note("forward", ("activations", "weights"), (x.shape, w.shape))
            return torch.convolution(x, filters, start, *plan.arguments).to(plan.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        """Both backward products."""
        plan, (x, w), site = ctx.plan, ctx.saved_tensors, ctx.plan.site
        need = ctx.needs_input_grad
        with site.inside():
            error = errors(site, e, plan.key and plan.key.fold(3))
            for asked, roles, other in (
                (need[0], ("errors", "weights"), w), (need[1], ("activations", "errors"), x),
            ):  # fmt: skip
                if asked:
                    site.note("backward", roles, _shapes(roles, e, other))
            filters = decoded(Elements(w, combined(plan.w_scale, error.scale)))
            dx, dw, _ = torch.ops.aten.convolution_backward(
                error.tensor, x, filters, None, *plan.arguments, [need[0], need[1], False]
            )
            factor = combined(plan.x_scale, error.scale)
            dw = dw if dw is None or factor is None else dw.mul_(factor)
            axes = [n for n in range(e.ndim) if n != 1]
            db = working(e).sum(axes).to(ctx.bias) if ctx.bias and need[2] else None
        return dx, dw, db, None


def _shapes(roles: tuple[str, str], e: Tensor, other: Tensor) -> tuple[Any, Any]:
    return (e.shape, other.shape) if roles[0] == "errors" else (other.shape, e.shape)
