"""``Quantizer``: rounding as a module, with its stream of random bits and its history of scales."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from numformats.dtypes import FormatLike
from numformats.torch import ops
from numformats.torch.checking import check_tensor
from numformats.torch.direction import NEAREST, Direction, checked
from numformats.torch.keys import key_words
from numformats.torch.quantizing import plan, run
from numformats.torch.scaling import AmaxScaling
from numformats.torch.streams import counting_key, stream_of

HISTORIES = ("history", "grad_history")


class Quantizer(torch.nn.Module):
    """Rounds what passes through it, and the gradient that comes back.

    Forward: y = Q_forward(x); backward: ∂L/∂x = Q_backward(∂L/∂y), and 0 where
    ``gradient="clipped"`` and x saturated. See ``numformats.torch.quantize``.

    State: with stochastic rounding the buffer ``key``, int64 (seed, stream, 0, step), whose step
    counts the calls; with delayed scaling ``history`` and ``grad_history``, float32 (calls,
    *channels). ``history`` is written in training mode only. No state otherwise.

    Args:
        forward: format of the values, or its name; None leaves them.
        backward: format of the gradient; None leaves it.
        forward_rounding: a name in ``nf.roundings()``.
        backward_rounding: the same for the gradient.
        forward_random_bits: N of the N-bit modes; all bits by default.
        backward_random_bits: the same for the gradient.
        forward_scaling: how values are scaled; None: not. Block formats carry their own scales;
            that of the whole tensor in two-level ones (NVFP4) may come from here.
        backward_scaling: the same for the gradient.
        gradient: ``"straight_through"`` or ``"clipped"``.
        seed: of stochastic rounding, 0 by default.
        stream: an int or a name; Quantizers with one seed and other streams share no random bits.
            By default the number of Quantizers without one made before in this process; see
            ``reseed``.

    Raises:
        TypeError, ValueError: unknown names (with the closest match), options that do not go
            together.

    Promise: the bits of ``nf.quantize`` with ``nf.Key(seed, stream).fold(step)``, and with
        ``.fold(1)`` on top for the gradient: on every device, for any thread count, eager and
        compiled.

    Example:
        >>> Quantizer("e4m3", "e5m2")(torch.tensor([0.3, 10.3]))
        tensor([ 0.3125, 10.0000])
        >>> Quantizer("fixed<8,0>", forward_scaling=AmaxScaling(power_of_two=True))
        Quantizer(forward: fixed<8,0>, nearest_even, one scale a tensor, from amax of the call,
        rounded up to a power of two; backward: as it is; gradient: straight_through)

    Reference: Bengio, Léonard, Courville, arXiv 1308.3432 (straight-through); delayed scaling as
    in NVIDIA's Transformer Engine.
    """

    key: torch.Tensor | None
    history: torch.Tensor | None
    grad_history: torch.Tensor | None

    def __init__(
        self,
        forward: FormatLike | None = None,
        backward: FormatLike | None = None,
        *,
        forward_rounding: str = NEAREST,
        backward_rounding: str = NEAREST,
        forward_random_bits: int | None = None,
        backward_random_bits: int | None = None,
        forward_scaling: AmaxScaling | None = None,
        backward_scaling: AmaxScaling | None = None,
        gradient: str = "straight_through",
        seed: int = 0,
        stream: int | str | None = None,
    ) -> None:
        super().__init__()
        ahead = checked("forward", forward, forward_rounding, forward_random_bits, forward_scaling)
        back = checked(
            "backward", backward, backward_rounding, backward_random_bits, backward_scaling
        )
        self.ways, self.plan = (ahead, back), plan(ahead, back, gradient)
        self.words = f"forward: {ahead.words}; backward: {back.words}; gradient: {gradient}"
        key = counting_key(seed, stream_of(stream))
        self.register_buffer("key", key if self.plan.stochastic else None)
        for name, way in zip(HISTORIES, self.ways, strict=True):
            self.register_buffer(name, _history(way))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``x`` rounded; the same tensor where both formats are None."""
        check_tensor(x)
        key = None if self.key is None else ops.advance(self.key, 1)
        try:
            return run(x, self.plan, key, self.history, self.grad_history, self.training)
        except (TypeError, ValueError, RuntimeError):  # a call that is refused does not count
            if self.key is not None:
                ops.advance(self.key, -1)
            raise

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        """Moves go as with every module; ``half()`` and its like leave histories in float32."""
        before = {name: getattr(self, name) for name in HISTORIES}
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, kept in before.items():
            if kept is not None and getattr(self, name).dtype != kept.dtype:
                setattr(self, name, kept.to(getattr(self, name).device))
        return self

    def extra_repr(self) -> str:
        """Both directions in words; while compiling without the state, which is no constant."""
        if self.key is None or self.key.is_meta or torch.compiler.is_compiling():
            return self.words
        seed, stream, _, step = key_words(self.key)
        return f"{self.words}; seed {seed}, stream {stream}, step {step}"


def _history(way: Direction) -> torch.Tensor | None:
    if way.scaling is None or not way.scaling.history:
        return None
    return torch.zeros(way.scaling.history, *way.scaling.sizes, dtype=torch.float32)
