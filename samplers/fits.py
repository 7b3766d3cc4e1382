"""Whether the formats of a precision fit a parameter: its axes and its dtype."""

from __future__ import annotations

import math
from typing import Any

import torch

import numformats as nf
from numformats.blocking import geometry
from samplers.checks import check_parameter, check_representable
from samplers.precision import Precision, resolve
from samplers.state import rounded


def check_fit(label: str, param: torch.Tensor, precision: Precision) -> None:
    """Refuse a parameter of another kind, formats with axes that it lacks, and a weight format that
    its dtype cannot hold."""
    check_parameter(label, param)
    shape = tuple(param.shape)
    for role in ("weight", "gradient"):
        fmt = resolve(getattr(precision, role), shape)
        if isinstance(fmt, nf.BlockFloat):
            _check_axes(f"the {role} format of {label}", fmt, shape)
    if precision.weight is not None and not _holds(param.dtype, resolve(precision.weight, shape)):
        raise ValueError(
            f"{label} has dtype {param.dtype}, which cannot hold the values of "
            f"weight={precision.weight!s}; use float32 parameters, or a coarser format"
        )
    if may_lack(param, precision):
        check_representable(label, param, rounded(param.detach().float(), precision), precision)


def may_lack(param: torch.Tensor, precision: Precision) -> bool:
    """Whether the weights decide if the parameter's dtype holds them: blocks beside float16, whose
    range is narrower than that of scales."""
    if param.dtype != torch.float16:
        return False
    return isinstance(resolve(precision.weight, tuple(param.shape)), nf.BlockFloat)


def _check_axes(what: str, fmt: nf.BlockFloat, shape: tuple[int, ...]) -> None:
    try:
        geometry(fmt, shape)
    except ValueError as error:
        raise ValueError(f"{what}, of shape {shape}: {error}") from error


def _holds(dtype: torch.dtype, fmt: Any) -> bool:
    """Whether ``dtype`` has the values of ``fmt`` that float32 has; of block formats the digits
    alone, since which scales occur depends on the weights."""
    if dtype not in (torch.float16, torch.bfloat16):
        return True
    own = torch.finfo(dtype)
    if _digits(fmt) > 1 - round(math.log2(own.eps)):
        return False
    if isinstance(fmt, nf.BlockFloat):
        return True
    step = fmt.frac_bits if isinstance(fmt, nf.FixedPoint) else fmt.man_bits - fmt.emin
    largest = min(max(fmt.max, -fmt.min), 2.0**127)  # where float32 ends, the carrier of values
    return step <= -math.log2(own.smallest_normal * own.eps) and largest <= own.max


def _digits(fmt: Any) -> int:
    """Significant bits of the values."""
    if isinstance(fmt, nf.FixedPoint):
        return fmt.max_code.bit_length()
    if isinstance(fmt, nf.Float):
        return int(fmt.man_bits) + 1
    scale = 0 if fmt.power_of_two_scale else _digits(fmt.scale) + 24 * fmt.tensor_scale
    return _digits(fmt.element) + scale
