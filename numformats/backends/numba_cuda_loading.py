"""Loads numba-cuda's typing rules, which name functions that NumPy has dropped since."""

import importlib
from typing import Any

import numba
import numpy as np

DROPPED = {"row_stack": "vstack"}  # NumPy 2.5; numba-cuda 0.30 looks it up while it loads


def load() -> None:
    """Load them, with the dropped names in NumPy until they are there."""
    settings: Any = numba.config
    if settings.ENABLE_CUDASIM:
        return
    lacking = [name for name in DROPPED if not hasattr(np, name)]
    for name in lacking:
        setattr(np, name, getattr(np, DROPPED[name]))
    try:
        importlib.import_module("numba.cuda.cudaimpl")
    finally:
        for name in lacking:
            delattr(np, name)
