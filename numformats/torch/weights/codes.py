"""A weight as a chip stores it: packed codes and scales, as tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import numformats as nf
from numformats.blocks import BlockCodes, ScaledBlockCodes
from numformats.formats import BlockFloat
from numformats.naming import parse
from numformats.random import Key
from numformats.torch import scaling
from numformats.torch.direction import Direction


def stored(weight: Tensor, how: Direction, key: Key | int | None) -> tuple[Tensor, ...]:
    """Packed codes of ``weight`` (uint8, one dimension), then its scales: none; one a tensor or
    channel; or the codes of block scales and, where there is one, the tensor's scale. Float32
    scales come as their bits (int32), which ``half()`` and its like leave alone."""
    fmt = how.fmt
    assert fmt is not None
    weight = weight.detach().cpu()
    scales: tuple[Tensor, ...] = ()
    if how.scaling is not None:
        largest = scaling.amax(weight, how.axes)
        scale = scaling.scale_of(largest, how.limit, how.power_of_two)
        weight, scales = (
            weight.to(torch.promote_types(weight.dtype, torch.float32)) / scale,
            (scale.view(torch.int32),),
        )
    codes = nf.encode(weight.contiguous(), fmt, how.rounding, key=key, random_bits=how.random_bits)
    if isinstance(codes, BlockCodes | ScaledBlockCodes):
        scales = (codes.scales,)
        if isinstance(codes, ScaledBlockCodes):
            whole = torch.tensor(codes.tensor_scale, dtype=torch.float32)
            scales += (whole.view(torch.int32),)
        codes = codes.codes
    return (nf.pack(codes, fmt), *scales)


# written out: not every torch infers one of ``list[Tensor]`` (2.6 does not)
SCHEMA = "(Tensor packed, Tensor[] scales, str fmt, SymInt[] shape, ScalarType dtype) -> Tensor"


def _level(scale: Tensor) -> Tensor:
    return scale.view(torch.float32) if scale.dtype == torch.int32 else scale


@torch.library.custom_op("numformats::read_weight", mutates_args=(), schema=SCHEMA)
def read_weight(
    packed: Tensor, scales: list[Tensor], fmt: str, shape: list[int], dtype: torch.dtype
) -> Tensor:
    """The values of what ``stored`` made, on its device. Codes are unpacked on the CPU."""
    target, levels = parse(fmt), [_level(scale.detach().cpu()) for scale in scales]
    codes = nf.unpack(packed.detach().cpu(), target, tuple(shape))
    if isinstance(target, BlockFloat):
        two = target.tensor_scale
        codes = ScaledBlockCodes(codes, levels[0], float(levels[1])) if two else (
            BlockCodes(codes, levels[0])
        )  # fmt: skip
        levels = []
    real = torch.promote_types(dtype, torch.float32)
    values = nf.decode(codes, target, dtype=np.float64 if real == torch.float64 else None).to(real)
    for level in levels:
        values = values * level
    out: Tensor = values.to(dtype).to(packed.device)
    return out


@read_weight.register_fake
def _(
    packed: Tensor, scales: list[Tensor], fmt: str, shape: list[int], dtype: torch.dtype
) -> Tensor:
    return packed.new_empty(shape, dtype=dtype)


@read_weight.register_vmap
def _(info: Any, in_dims: Any, packed: Tensor, scales: list[Tensor], *how: Any) -> Any:
    """One call a sample: an ensemble of models with packed weights."""

    def part(x: Tensor, dim: int | None, at: int) -> Tensor:
        return x if dim is None else x.select(dim, at)

    dims = in_dims[1] or [None] * len(scales)
    samples = [
        (part(packed, in_dims[0], at), [part(*pair, at) for pair in zip(scales, dims, strict=True)])
        for at in range(info.batch_size)
    ]
    return torch.stack([read_weight(*sample, *how) for sample in samples]), 0
