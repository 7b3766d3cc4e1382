"""What qtorch's nearest rounding means, in float64 steps that are exact for float32 inputs, and the
cases in which qtorch itself is compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import torch

Rule = Callable[[np.ndarray], np.ndarray]


def spacing_below(x: np.ndarray, man: int, lowest: int) -> np.ndarray:
    """The gap of floats with ``man`` trailing bits and least exponent ``lowest`` at ``x``."""
    exponent = np.frexp(x)[1] - 1
    return np.ldexp(1.0, np.where(x == 0, lowest, np.maximum(exponent, lowest)) - man)


def float_rule(exp: int, man: int) -> Rule:
    """Half a gap added to the magnitude, then truncated; no exponent is set apart for Inf."""
    top = (2 - 2.0**-man) * 2.0 ** (1 << exp - 1)

    def rule(x: np.ndarray) -> np.ndarray:
        size = np.minimum(np.abs(x), top)
        gap = spacing_below(size, man, 2 - (1 << exp - 1))
        return np.copysign(np.floor(size / gap + 0.5) * gap, x)

    return rule


def fixed_rule(wl: int, fl: int, clamp: bool = True, symmetric: bool = False) -> Rule:
    """The nearest multiple of 2^-fl, ties to even ones (C's nearbyint), between the ends."""
    low, high = -(2.0 ** (wl - fl - 1)), 2.0 ** (wl - fl - 1) - 2.0**-fl

    def rule(x: np.ndarray) -> np.ndarray:
        rounded = np.rint(x * 2.0**fl) / 2.0**fl
        return np.clip(rounded, low + symmetric * 2.0**-fl, high) if clamp else rounded

    return rule


def block_rule(wl: int, dim: int = -1) -> Rule:
    """Multiples of 2^(e+2-wl), ties upward, below 2^(e+1) in magnitude: 2^e is the exponent of the
    largest magnitude of a block."""

    def rule(x: np.ndarray) -> np.ndarray:
        others = tuple(axis for axis in range(x.ndim) if axis != dim)
        largest = np.max(np.abs(x), axis=None if dim == -1 else others, keepdims=True)
        gap = np.ldexp(1.0, np.frexp(largest)[1] + 1 - wl)
        most = 2.0 ** (wl - 1) - 1
        return np.where(largest == 0, 0.0, np.clip(np.floor(x / gap + 0.5), -most, most) * gap)

    return rule


RULES = {
    "fixed_point_quantize": fixed_rule,
    "block_quantize": block_rule,
    "float_quantize": float_rule,
}
CASES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "fixed point 8, 4": ("fixed_point_quantize", (8, 4)),
    "fixed point 8, 4, symmetric": ("fixed_point_quantize", (8, 4, True, True)),
    "fixed point 8, 4, not clamped": ("fixed_point_quantize", (8, 4, False)),
    "fixed point 16, 12": ("fixed_point_quantize", (16, 12)),
    "float 2, 1": ("float_quantize", (2, 1)),
    "float 4, 3": ("float_quantize", (4, 3)),
    "float 5, 2": ("float_quantize", (5, 2)),
    "float 5, 10": ("float_quantize", (5, 10)),
    "float 8, 7": ("float_quantize", (8, 7)),
    "block 4": ("block_quantize", (4,)),
    "block 8": ("block_quantize", (8,)),
    "block 8, dim 0": ("block_quantize", (8, 0)),
    "block 8, dim 1": ("block_quantize", (8, 1)),
    "block 16": ("block_quantize", (16,)),
}


@cache
def patterns() -> torch.Tensor:
    """All finite float16 values, as float32: (128, 248, 2)."""
    x = torch.arange(1 << 16, dtype=torch.int32).to(torch.int16).view(torch.float16).float()
    return x[x.isfinite()].reshape(128, -1, 2)


@cache
def random(count: int = 1 << 16) -> torch.Tensor:
    """Normal float32 times powers of two from 2^-12 to 2^11: (64, ..., 2)."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal(count, np.float32) * 2.0 ** rng.integers(-12, 12, count)
    return torch.from_numpy(x.astype(np.float32)).reshape(64, -1, 2)


def expected(case: str, x: torch.Tensor) -> torch.Tensor:
    """The rule of the case, applied to float32 ``x``."""
    name, arguments = CASES[case]
    found = RULES[name](*arguments)(x.double().numpy())  # type: ignore[operator]
    return torch.from_numpy(found.astype(np.float32))
