"""What the weights of a row take, in bytes, and what storing them in a format does to them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.blocking import scales_shape
from numformats.measuring import Tally
from numformats.torch.simulation.storing import decoded, store
from samplers.compare.config import accelerator_label
from samplers.compare.rows import FLOAT32, Row
from samplers.dense import packed_bytes
from samplers.precision import parse_format, resolve

Shape = tuple[int, ...]
FLOAT32_BYTES = 4
PRESET_KEY = 0  # of chips that store stochastically


def bytes_per_weight(row: Row, shapes: Iterable[Shape]) -> tuple[float, float]:
    """Bytes a weight takes in a kept sample, and while it is trained; scales included.

    A sample on an accelerator is what the chip stores: matrices in its format, biases in float32.
    Training holds the accumulator beside it: float32, unless the low-precision weights are all.
    """
    shapes = list(shapes)
    count = sum(math.prod(shape) for shape in shapes)
    stored = sum(_stored(row, shape) for shape in shapes) / count
    if row.precision.weight is None and row.accelerator is None:
        return stored, stored
    own = row.precision.accumulator != "full"
    return stored, stored if own else stored + FLOAT32_BYTES


def layer_errors(
    sample: Mapping[str, torch.Tensor], formats: Iterable[str], accelerators: Iterable[str]
) -> dict[str, dict[str, float | None]]:
    """SQNR in dB of every tensor rounded to nearest in every format, or as a chip stores it.

    Returns:
        By format and tensor; None where rounding changed nothing.
    """
    found = {}
    for text in formats:
        fmt = parse_format(text)
        found[text] = {
            name: _sqnr(w, nf.quantize(w, resolve(fmt, tuple(w.shape))))
            for name, w in sample.items()
        }
    for text in accelerators:
        chip = nf.accelerator(text)
        label = accelerator_label(text)
        found[label] = {name: _sqnr(w, _on_chip(chip, w)) for name, w in sample.items()}
    return found


def _stored(row: Row, shape: Shape) -> float:
    if row.accelerator is not None:
        return _chip_bytes(nf.accelerator(row.accelerator), shape)
    if row.precision.weight is None:
        return FLOAT32_BYTES * math.prod(shape)
    return packed_bytes(shape, row.precision.weight)


def _chip_bytes(chip: Accelerator, shape: Shape) -> float:
    fmt, scaling = chip.storage("weights"), chip.scaling_of("weights")
    if fmt is None or len(shape) < 2:
        return FLOAT32_BYTES * math.prod(shape)
    if isinstance(fmt, nf.BlockFloat):
        level = FLOAT32_BYTES if fmt.tensor_scale else 0
        scales = math.prod(scales_shape(fmt, shape)) * fmt.scale.bits
        return (math.prod(shape) * fmt.bits + scales) / 8 + level
    scales = 0
    if scaling is not None:
        outer, inner = scaling.block or (1, shape[-1])
        scales = 1 if scaling.kind == "tensor" else -(-shape[0] // outer) * -(-shape[1] // inner)
    return math.prod(shape) * fmt.bits / 8 + FLOAT32_BYTES * scales


def _on_chip(chip: Accelerator, weight: torch.Tensor) -> torch.Tensor:
    """Biases enter products as the added term, in float32."""
    if weight.dim() < 2:
        return weight
    return decoded(store(chip, weight, "weights", nf.Key(PRESET_KEY)))


def _sqnr(exact: torch.Tensor, rounded: torch.Tensor) -> float | None:
    tally = Tally(nf.parse(FLOAT32))
    tally.add(exact, rounded)
    return tally.sqnr if math.isfinite(tally.sqnr) else None
