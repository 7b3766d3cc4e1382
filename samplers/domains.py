"""Numbers as options: refused by name where they are none, or outside their domain."""

from __future__ import annotations

import math
from typing import Any


def check_nonnegative(name: str, value: Any) -> None:
    """Refuse what is no finite number >= 0."""
    wanted = "a finite number >= 0"
    if not _finite(name, value, wanted) or value < 0:
        raise ValueError(f"{name}={value!r}; write {wanted}")


def check_positive(name: str, value: Any) -> None:
    """Refuse what is no finite number > 0."""
    wanted = "a finite number > 0"
    if not _finite(name, value, wanted) or value <= 0:
        raise ValueError(f"{name}={value!r}; write {wanted}")


def check_share(name: str, value: Any) -> None:
    """Refuse what is no number in [0, 1)."""
    wanted = "a number in [0, 1)"
    if not _finite(name, value, wanted) or not 0 <= value < 1:
        raise ValueError(f"{name}={value!r}; write {wanted}")


def check_count(name: str, value: Any, wanted: str) -> None:
    """Refuse what is no finite number >= 1."""
    if not _finite(name, value, wanted) or value < 1:
        raise ValueError(f"{name}={value!r}; write {wanted}")


def _finite(name: str, value: Any, wanted: str) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:  # an int beyond float64
        return False
    except (TypeError, ValueError, RuntimeError) as error:  # of tensors of several elements, too
        raise TypeError(
            f"{name}={value!r} is of type {type(value).__name__}; write {wanted}"
        ) from error
