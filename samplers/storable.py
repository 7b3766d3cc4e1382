"""Which samples a file gives back as they are; others are refused before a file is there."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import torch
from safetensors.torch import load, save

from samplers.shard import MARK

RESERVED = "__metadata__"
"""Where a safetensors file keeps its own notes."""


def check_sample(sample: Mapping[str, Any]) -> None:
    """Refuse names, types and dtypes that could not be read again.

    Raises:
        ValueError: names the tensor, and what to write.
    """
    if not sample:
        raise ValueError("the sample has no tensors; give a state dict, or named parameters")
    bad = [name for name in sample if not isinstance(name, str) or MARK in name or not _utf8(name)]
    bad += [name for name in sample if name == RESERVED]
    if bad:
        raise ValueError(
            f"tensor names {bad} cannot stand in the file: it needs {MARK!r} and {RESERVED!r} for "
            "itself, and the others as text; rename them"
        )
    for name, value in sample.items():
        _check_tensor(name, value)


def _check_tensor(name: str, value: Any) -> None:
    if not isinstance(value, torch.Tensor):
        raise ValueError(
            f"{name!r} is of type {type(value).__name__}; write a tensor, such as "
            "torch.as_tensor(...)"
        )
    if value.layout != torch.strided or value.is_meta:
        raise ValueError(
            f"tensor {name!r} has layout {value.layout} on {value.device}; write a dense one, such "
            "as tensor.to_dense()"
        )
    if not _comes_back(value.dtype):
        raise ValueError(
            f"tensor {name!r} has dtype {value.dtype}, which a safetensors file does not give "
            f"back; write {_instead(value.dtype)}"
        )


@functools.cache
def _comes_back(dtype: torch.dtype) -> bool:
    """Whether a tensor of the dtype is read again; what is known depends on the versions."""
    try:
        back = load(save({"x": torch.empty(1, dtype=dtype)}))["x"]
    except Exception:  # torch makes none, or safetensors knows none: each has errors of its own
        return False
    return back.dtype == dtype and back.shape == (1,)


def _instead(dtype: torch.dtype) -> str:
    if dtype.is_complex:
        return "torch.view_as_real(tensor)"
    return "tensor.dequantize()" if "torch.q" in str(dtype) else "tensor.view(torch.uint8)"


def _utf8(name: str) -> bool:
    return name.encode(errors="ignore").decode() == name  # half a surrogate pair is no text
