"""What microxcaling's rounding means, in float64 steps that are exact for float32 inputs."""

from __future__ import annotations

import numpy as np

LAYOUTS = {  # exponent bits, fraction bits, largest value, its exponent: OCP MX 1.0, tables 2 to 6
    "fp8_e5m2": (5, 2, 57344.0, 15),
    "fp8_e4m3": (4, 3, 448.0, 8),
    "fp6_e3m2": (3, 2, 28.0, 4),
    "fp6_e2m3": (2, 3, 7.5, 2),
    "fp4_e2m1": (2, 1, 6.0, 2),
    "int8": (0, 6, 127 / 64, 0),
    "int4": (0, 2, 1.75, 0),
}
AWAY = {
    "nearest": lambda m: np.floor(m + 0.5),
    "even": np.rint,
    "floor": np.floor,
}


def exponent(x: np.ndarray) -> np.ndarray:
    """floor(log2 |x|), and 0 of 0."""
    return np.where(x == 0, 0, np.frexp(x)[1] - 1)


def elements(x: np.ndarray, exp: int, man: int, largest: float, round: str) -> np.ndarray:
    """Signs and magnitudes of the element format; larger magnitudes become the largest."""
    lowest = 2 - (1 << exp - 1) if exp else 0
    gap = np.ldexp(1.0, (np.maximum(exponent(x), lowest) if exp else 0 * exponent(x)) - man)
    return np.copysign(np.minimum(AWAY[round](np.abs(x) / gap) * gap, largest), x)


def blocks(x: np.ndarray, name: str, size: int, round: str, scale_bits: int = 8) -> np.ndarray:
    """Rows of ``x`` (rows, n * size) in blocks of ``size``."""
    exp, man, largest, emax = LAYOUTS[name]
    tiles = x.astype(np.float64).reshape(len(x), -1, size)
    amax = np.abs(tiles).max(-1, keepdims=True)
    end = (1 << scale_bits - 1) - 1
    scale = np.ldexp(1.0, np.clip(np.where(amax == 0, -end, exponent(amax) - emax), -end, end))
    return (elements(tiles / scale, exp, man, largest, round) * scale).reshape(x.shape)
