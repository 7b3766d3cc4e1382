"""An operand as an accelerator stores it: elements in its format, with their scales."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from numformats.accelerators.accelerator import Accelerator
from numformats.coding import encode
from numformats.decoding import decode
from numformats.formats import BlockFloat
from numformats.quantizing import quantize
from numformats.random import Key

ONE = np.float32(1)


@dataclass(frozen=True)
class Stored:
    """``values`` (..., outer, K): elements of the storage format, to be multiplied as they are.

    ``scale`` (..., outer or 1, blocks along K) or None; ``inner``: elements along K of a scale
    (None: all). ``block_scales`` (..., outer, blocks) and ``tensor_scale`` are those of block
    formats, for engines that take them.
    """

    values: Any
    scale: Any = None
    inner: int | None = None
    block_scales: Any = None
    tensor_scale: Any = ONE
    two_level: bool = False

    def scale_at(self, k: int) -> Any:
        """The scale of element ``k`` along K: (..., outer or 1, 1)."""
        if self.scale is None or not self.scale.shape[-1]:  # nothing to scale where K is 0
            return np.ones((1, 1), np.float32)
        at = 0 if self.inner is None else k // self.inner
        return self.scale[..., at : at + 1]


def store(chip: Accelerator, x: Any, role: str, key: Key | None, backend: str) -> Stored:
    """``x`` (..., outer, K) as ``chip`` stores it in this role."""
    fmt, scaling = chip.storage(role), chip.scaling_of(role)
    how: dict[str, Any] = {"rounding": chip.rounding_of(role), "key": key, "backend": backend}
    if fmt is None:
        return Stored(x)
    if isinstance(fmt, BlockFloat) and chip.engine.scaled:
        return _with_block_scales(x, fmt, how)
    if scaling is None or isinstance(fmt, BlockFloat):
        return Stored(quantize(x, fmt, **how))
    scale = scaling.scales(x, float(fmt.max))
    wide = scale if scaling.inner is None else np.repeat(scale, scaling.inner, axis=-1)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        quotient = x / (wide if scaling.inner is None else wide[..., : x.shape[-1]])
    return Stored(quantize(quotient, fmt, **how), scale, scaling.inner)


def _with_block_scales(x: Any, fmt: BlockFloat, how: dict[str, Any]) -> Stored:
    codes = encode(x, fmt, **how)
    values = decode(codes.codes, fmt.element, dtype=x.dtype, backend=how["backend"])
    scales = decode(codes.scales, fmt.scale, dtype=np.float32, backend=how["backend"])
    if isinstance(fmt.block_size, tuple):
        scales = np.repeat(scales, fmt.block_size[0], axis=-2)[..., : x.shape[-2], :]
    whole = np.float32(codes.tensor_scale) if fmt.tensor_scale else ONE
    found = Stored(values, block_scales=scales)
    return replace(found, tensor_scale=whole, two_level=fmt.tensor_scale)
