"""Whole numbers as they come: of Python, NumPy or torch, but neither bools nor floats."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np


def integer(name: str, value: Any, least: int | None = None) -> int:
    """``value`` as a Python int.

    Raises:
        ValueError: no whole number, or one below ``least``.
    """
    try:
        if isinstance(value, bool | np.bool_):
            raise TypeError
        whole = operator.index(value)
    except TypeError:
        raise ValueError(
            f"{name}={value!r} is of type {type(value).__name__}; write an int, for example "
            f"{name}=int(...)"
        ) from None
    if least is not None and whole < least:
        raise ValueError(f"{name}={whole}; write at least {least}")
    return whole
