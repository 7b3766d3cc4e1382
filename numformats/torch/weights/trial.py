"""A model with some weights rounded, for as long as a question takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import nn

from numformats.formats import BlockFloat, Format
from numformats.random import Key
from numformats.torch.direction import NEAREST, checked
from numformats.torch.quantizing import quantize
from numformats.torch.scaling import AmaxScaling
from numformats.torch.weights.choice import groups


def check_deterministic(fmt: Format, rounding: str) -> None:
    """Refuse modes that draw: a trial is to give the same number again.

    Raises:
        ValueError: a stochastic mode, an unknown one.
    """
    if checked("formats", fmt, rounding).stochastic:
        raise ValueError(f"rounding={rounding!r} draws random bits; write a deterministic mode")


def rounded(
    weight: torch.Tensor,
    fmt: Format,
    rounding: str = NEAREST,
    scaling: AmaxScaling | None = None,
    key: Key | None = None,
) -> torch.Tensor:
    """``weight`` as ``quantize_model`` would read it back."""
    fits = None if isinstance(fmt, BlockFloat) else scaling
    return quantize(weight.detach(), fmt, rounding, scaling=fits, key=key)


@contextmanager
def rounded_weights(
    model: nn.Module,
    formats: Mapping[str, Format],
    rounding: str = NEAREST,
    scaling: AmaxScaling | None = None,
    key: Key | None = None,
) -> Iterator[None]:
    """Within the context the named parameters hold rounded values; afterwards the old ones, bit
    for bit."""
    kept: list[tuple[nn.Parameter, torch.Tensor]] = []
    try:
        for index, (held, fmt) in enumerate(groups(model, formats)):
            weight = held[0].weight
            own = None if key is None else key.fold(index)
            kept.append((weight, weight.data))
            weight.data = rounded(weight, fmt, rounding, scaling, own)
        yield
    finally:
        for weight, old in kept:
            weight.data = old
