"""What the parameters and buffers of a model take, in bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from numformats.torch.weights.packed import PackedWeight, is_packed


@dataclass(frozen=True)
class Stored:
    """One parameter or buffer."""

    name: str
    format: str  #: a format, or the dtype of a dense tensor
    elements: int
    bytes: int  #: codes and scales
    dense_bytes: int  #: in the dtype that its module computes in


@dataclass(frozen=True)
class Storage:
    """The tensors of a model; a shared one counts once.

    Example:
        >>> storage(nn.Linear(4, 2)).bytes
        40
    """

    rows: tuple[Stored, ...]

    @property
    def bytes(self) -> int:
        """Bytes of all tensors as they are stored."""
        return sum(row.bytes for row in self.rows)

    @property
    def dense_bytes(self) -> int:
        """Bytes of all tensors without packing."""
        return sum(row.dense_bytes for row in self.rows)

    @property
    def bits_per_weight(self) -> float:
        """Bits an element of the packed tensors takes, scales included; NaN without any."""
        packed = [row for row in self.rows if not row.format.startswith("torch.")]
        elements = sum(row.elements for row in packed)
        return 8 * sum(row.bytes for row in packed) / elements if elements else float("nan")

    def dicts(self) -> list[dict[str, Any]]:
        """The rows as plain data, for a table or ``pandas.DataFrame``."""
        return [vars(row) for row in self.rows]

    def __str__(self) -> str:
        width = max([len(row.name) for row in self.rows], default=0)
        kind = max([len(row.format) for row in self.rows], default=0)
        lines = [
            f"{r.name:{width}}  {r.format:{kind}}  {r.elements:>12,}  {r.bytes:>12,} bytes"
            for r in self.rows
        ]
        share = self.bytes / self.dense_bytes if self.dense_bytes else 1.0
        lines.append(f"{self.bytes:,} bytes, {share:.3f} of {self.dense_bytes:,}")
        return "\n".join(lines)


def storage(model: nn.Module) -> Storage:
    """What every parameter and buffer of ``model`` takes; promise: the sizes of the tensors
    themselves."""
    rows, seen = [], set[int]()
    packed = {
        f"{path}.{key}" if path else key: kept
        for path, module in model.named_modules()
        if parametrize.is_parametrized(module)
        for key, kept in module.parametrizations.items()
        if is_packed(kept)
    }
    inside: set[str] = set()
    for name, kept in packed.items():
        parts = dict(kept.named_parameters())
        inside |= {_inner(name, part) for part in parts}
        if id(parts["original0"]) not in seen:
            seen.add(id(parts["original0"]))
            rows.append(_packed(name, kept[0], list(parts.values())))
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if name not in inside:
            rows.append(_dense(name, tensor))
    return Storage(tuple(rows))


def _inner(name: str, part: str) -> str:
    path, _, key = name.rpartition(".")
    return ".".join(filter(None, (path, "parametrizations", key, part)))


def _packed(name: str, weight: PackedWeight, parts: list[Tensor]) -> Stored:
    elements = 1
    for size in weight.shape:
        elements *= size
    size = sum(part.numel() * part.element_size() for part in parts)
    return Stored(name, str(weight.how.fmt), elements, size, elements * weight.dtype.itemsize)


def _dense(name: str, tensor: Tensor) -> Stored:
    size = tensor.numel() * tensor.element_size()
    return Stored(name, str(tensor.dtype), tensor.numel(), size, size)
