"""One posterior sample as one safetensors file: tensors with a format as packed codes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from samplers.dense import dense, loose

Sample = dict[str, torch.Tensor]
MARK = "#"


@dataclass(frozen=True)
class Entry:
    """Where a sample lies, and how its file can be told from a damaged one."""

    chain: int
    step: int
    path: Path
    bytes: int
    sha256: str


def shard_bytes(sample: Mapping[str, torch.Tensor], formats: Mapping[str, Any]) -> bytes:
    """The file of a sample; ``formats`` has the formats of those tensors that have one."""
    parts: Sample = {}
    notes: dict[str, Any] = {}
    for name, value in sample.items():
        tensor = value.detach().cpu().contiguous()
        packed = dense(tensor, formats[name]) if name in formats else None
        if packed is None:
            parts[name] = tensor.clone()  # tied tensors share memory, which safetensors refuses
            continue
        parts.update({f"{name}{MARK}{part}": t for part, t in packed.items()})
        notes[name] = [str(formats[name]), list(tensor.shape), str(tensor.dtype)]
    order = list(sample)
    return save(parts, {"sample": json.dumps({"order": order, "packed": notes})})


def read_shard(entry: Entry) -> Sample:
    """The tensors of a sample, on the CPU, as they were stored.

    Raises:
        ValueError: the file is missing, truncated or damaged.
    """
    try:
        content = entry.path.read_bytes()
        _check(entry, content)
        parts, notes = load(content), _notes(content)
        return {name: _tensor(name, parts, notes["packed"]) for name in notes["order"]}
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"the sample of step {entry.step} of chain {entry.chain} cannot be read: {entry.path}: "
            f"{error}; the others can: store.readable() leaves damaged ones out"
        ) from error


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def _check(entry: Entry, content: bytes) -> None:
    if len(content) != entry.bytes:
        raise ValueError(f"it has {len(content)} bytes, and {entry.bytes} were written")
    if digest(content) != entry.sha256:
        raise ValueError("its bytes are not those that were written (SHA-256 differs)")


def _notes(content: bytes) -> dict[str, Any]:
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    notes: dict[str, Any] = json.loads(header["__metadata__"]["sample"])
    return notes


def _tensor(name: str, parts: Sample, packed: Mapping[str, Any]) -> torch.Tensor:
    if name not in packed:
        return parts[name]
    fmt, shape, dtype = packed[name]
    begin = f"{name}{MARK}"
    own = {key.removeprefix(begin): t for key, t in parts.items() if key.startswith(begin)}
    return loose(own, fmt, tuple(shape), getattr(torch, dtype.removeprefix("torch.")))
