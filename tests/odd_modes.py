"""Rounding modes that users might write and that no CUDA kernel takes."""

from __future__ import annotations

from typing import Any

from numformats.core.lane import ONE, U


def loops_over_bits(kept: Any, frac: Any, neg: Any, rand: Any, spare: Any) -> Any:
    while frac > ONE:
        frac = U(frac >> ONE)
    return frac == ONE
