"""Rounding modes as users might write them; no CUDA kernel takes the first."""

from __future__ import annotations

from typing import Any

from numformats.core.lane import HALF, ONE, U


def loops_over_bits(kept: Any, frac: Any, neg: Any, rand: Any, spare: Any) -> Any:
    while frac > ONE:
        frac = U(frac >> ONE)
    return frac == ONE


def away_above_a_quarter(kept: Any, frac: Any, neg: Any, rand: Any, spare: Any) -> Any:
    signed = U(HALF >> ONE)  # a word of C++ as a name
    return frac > signed
