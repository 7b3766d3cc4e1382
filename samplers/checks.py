"""What an SGLD optimizer refuses, and what to write instead."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from samplers.precision import Precision

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options outside their domain."""
    for name in ("lr", "temperature", "weight_decay"):
        value = options[name]
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{name}={value!r}; write a finite number >= 0")
    if not math.isfinite(options["num_data"]) or options["num_data"] < 1:
        raise ValueError(
            f"num_data={options['num_data']!r}; write the number of data points "
            "behind the mean loss, >= 1"
        )
    for name in ("seed", "chain"):
        value = options[name]
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
            raise ValueError(f"{name}={value!r}; write an int in [0, 2**64)")
    if options.get("maximize"):
        raise ValueError(
            "maximize is not offered: a sampler needs an energy; negate the loss instead"
        )


def check_parameter(index: int, param: torch.Tensor) -> None:
    """Refuse parameters that are no real floating-point tensors."""
    if param.dtype not in FLOATS:
        raise TypeError(
            f"parameter {index} has dtype {param.dtype}; SGLD takes {', '.join(map(str, FLOATS))} "
            "(view a complex parameter as real with torch.view_as_real)"
        )


def check_gradient(index: int, grad: torch.Tensor | None) -> None:
    """Refuse sparse gradients: every weight moves in every step, because of the noise."""
    if grad is not None and grad.layout != torch.strided:
        raise TypeError(
            f"the gradient of parameter {index} is {grad.layout}; SGLD moves every weight in "
            "every step: build the layer with sparse=False, or call grad.to_dense()"
        )


def check_representable(
    index: int, param: torch.Tensor, quantized: torch.Tensor, precision: Precision
) -> None:
    """Refuse a weight format whose values the parameter's dtype cannot hold."""
    if param.dtype == quantized.dtype:
        return
    if not torch.equal(quantized.to(param.dtype).to(quantized.dtype), quantized):
        raise ValueError(
            f"parameter {index} has dtype {param.dtype}, which cannot hold the values of "
            f"weight={precision.weight!s}; use float32 parameters or a coarser format"
        )


def check_state(number: int, saved: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Refuse a state that another optimizer, or SGLD with another accumulator, has saved."""
    if saved.keys() != own.keys():
        raise ValueError(
            f"the state of parameter {number} holds {sorted(saved)}, wanted {sorted(own)}: "
            "it is no state of SGLD with this precision and accumulator; build the optimizer "
            "as it was when the state was saved"
        )
