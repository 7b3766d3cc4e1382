"""Products on engines of operands that are stored by hand, for tests to compare with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator

Tensor = torch.Tensor


PLAIN = ("nvidia-h100-bf16", "amd-mi300-fp32", "intel-amx-bf16", "cerebras-fp16")


SCALED = ("nvidia-h100-fp8", "amd-mi300-fp8", "intel-gaudi2-fp8")


BLOCKS = (
    "nvidia-b200-mxfp8",
    "nvidia-b200-mxfp4",
    "tenstorrent-wormhole-bfp8",
    "nvidia-h100-deepseek",
)


CHIPS = (*PLAIN, *SCALED, *BLOCKS)


FORWARD, FIRST, SECOND = (
    ("activations", "weights"),
    ("errors", "weights"),
    ("activations", "errors"),
)


def stored(chip: Accelerator, x: Tensor, role: str) -> tuple[Any, Any]:
    """Elements and float32 scale of a tensor, from the definition: x / (amax / limit)."""
    scaling, fmt = chip.scaling_of(role), chip.storage(role)
    values = x.detach().numpy()
    if scaling is None:
        return nf.quantize(values, fmt), np.float32(1)
    scale = np.float32(np.abs(values).max()) / np.float32(scaling.limit or float(fmt.max))
    if scaling.power_of_two:
        steps = [e for e in range(-126, 128) if e % scaling.exponent_step == 0]
        low, high = scaling.exponents or (-126, 127)
        scale = np.float32(2.0 ** min(e for e in steps if low <= e <= high and 2.0**e >= scale))
    return nf.quantize(values / scale, fmt), scale


def times(
    chip: Accelerator, a: Tensor, b: Tensor, roles: tuple[str, str] = FORWARD, c: Any = None
) -> Tensor:
    """``a @ b + c`` by ``nf.matmul``; formats with blocks along K by ``Accelerator.matmul``."""
    if chip.name in BLOCKS:
        start = None if c is None else np.atleast_2d(c.detach().numpy())
        return torch.from_numpy(
            chip.matmul(a.detach().numpy(), b.detach().numpy(), start, roles=roles)
        ).float()
    (x, s), (y, t) = (stored(chip, v, r) for v, r in zip((a, b), roles, strict=True))
    engine, plain = chip.engine_for(roles), not chip.scaling
    start = c.detach().numpy().reshape(1, -1) if c is not None and plain else None
    if start is not None:
        start = nf.quantize(start, engine.c_values)
    result = nf.matmul(x, y, start, engine=engine)
    if not plain:
        result = result.astype(np.float32) * (s * t)
        result = result if c is None else result + c.detach().numpy()
    return torch.from_numpy(result).float()


def leaf(*shape: int, seed: int = 0, parameter: bool = False) -> Tensor:
    x = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
    return nn.Parameter(x) if parameter else x.requires_grad_()


def error(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(9)) / 64


def gradient(chip: Accelerator, grad: Tensor) -> Tensor:
    """A gradient of weights as it leaves."""
    return grad if chip.gradients is None else nf.quantize(grad.contiguous(), chip.gradients)
