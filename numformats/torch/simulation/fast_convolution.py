"""torch's own convolution on stored operands, for the fast mode."""

from typing import Any, NamedTuple

import torch

from numformats.random import Key
from numformats.torch.simulation.multiplying import Operand, combined
from numformats.torch.simulation.places import Site
from numformats.torch.simulation.products import errors, of_bias, result_dtype
from numformats.torch.simulation.storing import Elements, decoded, shared, store, working
from numformats.torch.simulation.windows import Windows

Tensor = torch.Tensor
REASON = "second derivatives of convolutions"


class Plan(NamedTuple):
    """What a convolution needs to know beside its tensors."""

    site: Site
    x_scale: Tensor | None
    w_scale: Tensor | None
    key: Key | None
    dtype: torch.dtype
    arguments: tuple[Any, ...]  # stride, padding, dilation, transposed, output_padding, groups

    @property
    def errors_key(self) -> Key | None:
        """Of storing errors."""
        return self.key and self.key.fold(3)


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
    tensor, windows = windows.evened(x.tensor)
    arguments = windows.arguments(groups, output_padding)
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
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        """Both backward products."""
        plan, (x, w), need = ctx.plan, ctx.saved_tensors, ctx.needs_input_grad
        call = Backward.apply if torch.is_grad_enabled() else backward
        with plan.site.inside():
            dx, dw = call(e, x, w, plan, need[:2])
            db = of_bias(e, ctx.bias) if ctx.bias and need[2] else None
        return dx, dw, db, None


Pair = tuple[Tensor | None, Tensor | None]


def backward(e: Tensor, x: Tensor, w: Tensor, plan: Plan, need: tuple[bool, bool]) -> Pair:
    """The gradients of ``x`` and of ``w``, as far as they are needed."""
    site = plan.site
    error = errors(site, e, plan.errors_key)
    for asked, roles, other in (
        (need[0], ("errors", "weights"), w), (need[1], ("activations", "errors"), x),
    ):  # fmt: skip
        if asked:
            site.note("backward", roles, _shapes(roles, e, other))
    filters = decoded(Elements(w, combined(plan.w_scale, error.scale)))
    dx, dw, _ = torch.ops.aten.convolution_backward(
        error.tensor, x, filters, None, *plan.arguments, [*need, False]
    )
    factor = combined(plan.x_scale, error.scale)
    return dx, dw if dw is None or factor is None else dw.mul_(factor)


class Backward(torch.autograd.Function):
    """``backward`` with its own gradients, which torch computes of the numbers that are stored."""

    @staticmethod
    def forward(
        ctx: Any, e: Tensor, x: Tensor, w: Tensor, plan: Plan, need: tuple[bool, bool]
    ) -> Pair:
        """The backward products."""
        ctx.save_for_backward(e, x, w)
        ctx.plan, ctx.need = plan, need
        ctx.set_materialize_grads(False)
        return backward(e, x, w, plan, need)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        """Full precision, and counted."""
        plan, (e, x, w) = ctx.plan, ctx.saved_tensors
        with plan.site.inside(), torch.enable_grad():
            error = store(plan.site.chip, e, "errors", plan.errors_key)
            stored = error, Elements(x, plan.x_scale), Elements(w, plan.w_scale)
            numbers = [decoded(each).detach().requires_grad_() for each in stored]
            found = torch.ops.aten.convolution_backward(
                *numbers, None, *plan.arguments, [*ctx.need, False]
            )
            kept = [n for n, grad in enumerate(grads) if grad is not None]
            asked = torch.autograd.grad(
                [found[n] for n in kept], numbers, [grads[n] for n in kept], allow_unused=True
            )
        plan.site.note("backward", ("errors", "errors"), (e.shape, x.shape), REASON)
        back = [g if g is None else g.to(v.dtype) for g, v in zip(asked, (e, x, w), strict=True)]
        return *back, None, None


def _shapes(roles: tuple[str, str], e: Tensor, other: Tensor) -> tuple[Any, Any]:
    return (e.shape, other.shape) if roles[0] == "errors" else (other.shape, e.shape)
