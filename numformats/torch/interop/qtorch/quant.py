"""The calls of ``qtorch.quant``.

Random bits come from a key that is drawn from torch's generator at every call, so that
``torch.manual_seed`` repeats them on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from numformats.checks import choice
from numformats.torch.checking import check_tensor
from numformats.torch.interop.qtorch.number import (
    BlockFloatingPoint,
    FixedPoint,
    FloatingPoint,
    Number,
)
from numformats.torch.interop.qtorch.rounding import ROUNDINGS, Rounding, options
from numformats.torch.quantizing import quantize

__all__ = [
    "Quantizer", "block_quantize", "fixed_point_quantize", "float_quantize", "quantizer",
]  # fmt: skip


def fixed_point_quantize(
    x: Tensor,
    wl: int,
    fl: int,
    clamp: bool = True,
    symmetric: bool = False,
    rounding: str = "stochastic",
) -> Tensor:
    """Round to fixed point: ``x`` to the nearest of k·2^-fl, ties to even k, or at random.

    Args:
        x: float tensor of any shape.
        wl: word length; see ``FixedPoint``.
        fl: fraction bits.
        clamp: saturate.
        symmetric: leave out the most negative value.
        rounding: ``"stochastic"`` or ``"nearest"``.

    Returns:
        Same shape, dtype and device as ``x``, outside of any graph. Promise: the values of qtorch
        with ``"nearest"``, but for those in ``docs/migrating.md``.

    Raises:
        TypeError, ValueError: no float tensor; impossible widths; another rounding.

    Example:
        >>> fixed_point_quantize(torch.tensor([0.3, 9.0]), 8, 4, rounding="nearest")
        tensor([0.3125, 7.9375])
    """
    return _rounded(x, FixedPoint(wl, fl, clamp, symmetric), rounding)


def block_quantize(x: Tensor, wl: int, dim: int = -1, rounding: str = "stochastic") -> Tensor:
    """Round to block floating point: integers of ``wl`` bits times 2^(e-wl+2), where 2^e is the
    largest power of two within the block; ties upward, or at random.

    Args:
        x: float tensor of any shape.
        wl: word length; see ``BlockFloatingPoint``.
        dim: the dimension whose indices have an exponent each; -1: one for the tensor.
        rounding: ``"stochastic"`` or ``"nearest"``.

    Returns, Raises: as ``fixed_point_quantize``.

    Example:
        >>> block_quantize(torch.tensor([1.0, 0.3]), 4, rounding="nearest")
        tensor([1.0000, 0.2500])
    """
    return _rounded(x, BlockFloatingPoint(wl, dim), rounding)


def float_quantize(x: Tensor, exp: int, man: int, rounding: str = "stochastic") -> Tensor:
    """Round to floats without Inf and NaN; ties away from zero, or at random.

    Args:
        x: float tensor of any shape.
        exp: exponent bits; see ``FloatingPoint``.
        man: significand bits.
        rounding: ``"stochastic"`` or ``"nearest"``.

    Returns, Raises: as ``fixed_point_quantize``.

    Example:
        >>> float_quantize(torch.tensor([1.0625, 1e6]), 4, 3, rounding="nearest")
        tensor([  1.1250, 480.0000])
    """
    return _rounded(x, FloatingPoint(exp, man), rounding)


def quantizer(
    forward_number: Number | None = None,
    backward_number: Number | None = None,
    forward_rounding: str = "stochastic",
    backward_rounding: str = "stochastic",
    clamping_grad_zero: bool = False,
    backward_hooks: Iterable[Callable[[Tensor], Tensor]] = (),
) -> Callable[[Tensor], Tensor]:
    """A function that rounds a tensor by one format, and its gradient by another.

    Args:
        forward_number: format of the values; None leaves them.
        backward_number: format of the gradient; None leaves it.
        forward_rounding: ``"stochastic"`` or ``"nearest"``.
        backward_rounding: the same for the gradient.
        clamping_grad_zero: gradients stop where values saturate; needs a clamping ``FixedPoint``.
        backward_hooks: applied to the gradient before it is rounded.

    Returns:
        A function of a tensor, which can be pickled.

    Raises:
        TypeError, ValueError: another kind of number or rounding; gradients that should stop where
            nothing saturates.

    Example:
        >>> q = quantizer(FixedPoint(8, 4), forward_rounding="nearest", clamping_grad_zero=True)
        >>> x = torch.tensor([0.3, 9.0], requires_grad=True)
        >>> q(x).sum().backward()
        >>> x.grad
        tensor([1., 0.])
    """
    return Rounding(
        forward_number, backward_number, forward_rounding, backward_rounding,
        clamping_grad_zero, tuple(backward_hooks),
    )  # fmt: skip


class Quantizer(torch.nn.Module):
    """``quantizer`` as a module, without state.

    Args:
        forward_number: format of the values; None leaves them.
        backward_number: format of the gradient; None leaves it.
        forward_rounding: ``"stochastic"`` or ``"nearest"``.
        backward_rounding: the same for the gradient.

    Raises:
        TypeError, ValueError: as ``quantizer``.

    Example:
        >>> Quantizer(FloatingPoint(5, 2), forward_rounding="nearest")(torch.tensor([1.1]))
        tensor([1.])
    """

    def __init__(
        self,
        forward_number: Number | None = None,
        backward_number: Number | None = None,
        forward_rounding: str = "stochastic",
        backward_rounding: str = "stochastic",
    ) -> None:
        super().__init__()
        self.quantize = quantizer(
            forward_number, backward_number, forward_rounding, backward_rounding
        )

    def forward(self, x: Tensor) -> Tensor:
        """``x`` rounded."""
        return self.quantize(x)


def _rounded(x: Tensor, number: Number, rounding: str) -> Tensor:
    choice("rounding", rounding, ROUNDINGS)
    check_tensor(x)
    return quantize(x.detach(), **options(x, (number,), (rounding,), False))
