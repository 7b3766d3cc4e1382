"""What SGLD keeps for one parameter, and how a step changes it."""

from __future__ import annotations

import functools
from typing import Any

import torch

import numformats as nf
from samplers.checks import check_representable
from samplers.precision import Precision, saturated
from samplers.steps import quantize, step


@torch.no_grad()
def initialise(param: torch.Tensor, precision: Precision) -> dict[str, Any]:
    """The state of a parameter before its first step; quantizes the parameter to nearest.

    ``accumulator`` is there only where it differs from what the parameter holds.
    """
    state: dict[str, Any] = {"step": 0, "drawn": 0, "deficit": 0, "saturated": 0}
    wide = param.detach().to(_wide(param.dtype), copy=True)
    if precision.accumulator == "full" and (
        precision.weight is not None or wide.dtype != param.dtype
    ):
        state["accumulator"] = wide
    if precision.weight is not None:
        param.copy_(quantize(wide, precision.weight, "nearest_even", nf.Key(0)))
        state["saturated"] = saturated(wide, precision.weight)
        state["drawn"] = param.numel()
    return state


def advance(
    param: torch.Tensor,
    state: dict[str, Any],
    group: dict[str, Any],
    index: int,
    precision: Precision,
) -> None:
    """One step of ``param``, parameter number ``index``, with the options of ``group``."""
    assert param.grad is not None
    lr = float(group["lr"])
    draw = step(
        state.get("accumulator", param.detach().to(_wide(param.dtype))),
        param.grad,
        lr=lr,
        weight_decay=group["weight_decay"],
        variance=2 * lr * group["temperature"] / group["num_data"],
        precision=precision,
        key=_parameter_key(group["seed"], group["chain"], index).fold(state["step"]),
    )
    if precision.weight is not None:
        check_representable(index, param, draw.seen, precision)
    if "accumulator" in state:
        state["accumulator"] = draw.stored
    param.copy_(draw.seen)
    state["step"] += 1
    state["drawn"] += param.numel()
    state["deficit"] += draw.deficit
    state["saturated"] += draw.saturated


@functools.lru_cache(maxsize=4096)
def _parameter_key(seed: int, chain: int, index: int) -> nf.Key:
    return nf.Key(seed).fold(chain).fold(index)


def _wide(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32
