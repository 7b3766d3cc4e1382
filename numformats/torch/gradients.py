"""The gradient of rounding: straight through or clipped, rounded by its own direction.

It is registered with the operator, and is a ``Function`` too, for the transforms of ``torch.func``:
PyTorch 2.13 has no transforms of registered gradients (pytorch issue 168393), compiles
``torch.func.grad`` of a ``Function`` to wrong gradients, and calls a ``Function`` slowly.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad

from numformats.torch import batching, ops
from numformats.torch.direction import Direction, direction
from numformats.torch.keys import BACKWARD, folded

LEFT = Direction().text  #: values as they are


class Rounding(torch.autograd.Function):
    """``numformats::quantize`` with its gradient."""

    @staticmethod
    def forward(
        x: Tensor,
        scale: Tensor | None,
        key: Tensor | None,
        history: Tensor | None,
        forward: str,
        backward: str,
        clipped: bool,
    ) -> Tensor:
        """Round."""
        out: Tensor = ops.quantize(x, scale, key, history, forward, backward, clipped)
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Keep what the gradient needs: the key, and what did not saturate."""
        x, scale, key, history, forward, backward, clipped = inputs
        ctx.text = backward
        ctx.history = history  # not a saved tensor: backward of another call may have changed it
        mask = ops.inside(x.detach(), scale, forward) if clipped else None
        ctx.save_for_backward(key, mask)
        ctx.save_for_forward(key, mask)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """Round the gradient, and stop it where values saturated."""
        key, mask = ctx.saved_tensors
        how = direction(ctx.text)
        if how.fmt is not None:
            scale = scales(grad, ctx.history, ctx.text, True) if how.scaling else None
            key = folded(key, BACKWARD) if how.stochastic else None
            grad = rounded(grad, scale, key, None, ctx.text, LEFT, False)
        return _stopped(grad, mask), None, None, None, None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *others: None) -> Tensor:
        """Tangents pass as gradients do, unrounded: what is rounded is what comes back."""
        return _stopped(tangent, ctx.saved_tensors[1])

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
        """Round a batch."""
        return batching.quantize(rounded, info, in_dims, *args)


def _stopped(x: Tensor, mask: Tensor | None) -> Tensor:
    """``x``, and 0 where ``mask`` is false."""
    if mask is None:
        return x
    return torch.where(mask, x, torch.zeros((), dtype=x.dtype, device=x.device))


def rounded(*args: Any) -> Tensor:
    """``numformats::quantize`` with a gradient that ``torch.func`` transforms, and tangents."""
    call: Any = Rounding.apply if transformed() else ops.quantize
    out: Tensor = call(*args)
    return out


def transformed() -> bool:
    """Whether the registered gradient does not serve: it has no transforms and no tangents."""
    if torch.compiler.is_compiling():
        return False
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0


def scales(x: Tensor, history: Tensor | None, how: str, record: bool) -> Tensor:
    """The scales of ``x`` in this direction, without a gradient."""
    out: Tensor = (
        ops.amax_scale(x.detach(), how)
        if history is None
        else ops.delayed_scale(x.detach(), history, how, record)
    )
    return out


def _batched(info: Any, in_dims: Any, *args: Any) -> tuple[Tensor, int]:
    return batching.quantize(ops.quantize, info, in_dims, *args)


ops.quantize.register_autograd(Rounding.backward, setup_context=Rounding.setup_context)
ops.quantize.register_vmap(_batched)
