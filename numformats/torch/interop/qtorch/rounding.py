"""Rounding by qtorch's numbers, which ``numformats.torch.quantize`` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from numformats.checks import choice
from numformats.torch.checking import check_tensor
from numformats.torch.interop.drawing import drawn_key
from numformats.torch.interop.qtorch.number import FixedPoint, Number
from numformats.torch.quantizing import quantize

ROUNDINGS = ("stochastic", "nearest")


class Rounding:
    """A function of a tensor that rounds it, and its gradient when that comes back."""

    def __init__(
        self,
        forward: Number | None,
        backward: Number | None,
        forward_rounding: str,
        backward_rounding: str,
        clipped: bool,
        hooks: tuple[Callable[[Tensor], Tensor], ...],
    ) -> None:
        self.numbers, self.hooks = (forward, backward), hooks
        self.roundings = (forward_rounding, backward_rounding)
        for number, rounding in zip(self.numbers, self.roundings, strict=True):
            choice("rounding", rounding, ROUNDINGS)
            if number is not None and not isinstance(number, Number):
                raise TypeError(
                    f"number is {number!r}; write FixedPoint, FloatingPoint, BlockFloatingPoint or "
                    "None, or use numformats.torch.Quantizer with any format"
                )
        clamps = isinstance(forward, FixedPoint) and forward.clamp
        if clipped and forward is not None and not clamps:
            raise ValueError(
                f"clamping_grad_zero=True with {forward!r}: only FixedPoint with clamp=True "
                "clamps; numformats.torch.Quantizer(gradient='clipped') takes any format"
            )
        self.clipped = clipped and forward is not None

    def __call__(self, x: Tensor) -> Tensor:
        """``x`` rounded."""
        check_tensor(x)
        out = quantize(x, **options(x, self.numbers, self.roundings, self.clipped))
        if self.hooks and out.requires_grad:
            out = out.view_as(out) if out is x else out  # hooks are for this use of x alone
            for hook in self.hooks:
                out.register_hook(hook)  # type: ignore[no-untyped-call]
        return out


def options(
    x: Tensor, numbers: tuple[Number | None, ...], roundings: tuple[str, ...], clipped: bool
) -> dict[str, Any]:
    """The arguments of ``numformats.torch.quantize`` that mean the same."""
    given = zip(("fmt", "backward"), ("rounding", "backward_rounding"), numbers, roundings)  # noqa: B905
    found: dict[str, Any] = {"fmt": None, "gradient": "clipped" if clipped else "straight_through"}
    for fmt, mode, number, rounding in given:
        if number is not None:
            found[fmt] = number.format(x.ndim)
            found[mode] = rounding if rounding == "stochastic" else number.nearest
            if rounding == "stochastic" and "key" not in found:
                found["key"] = drawn_key()
    return found
