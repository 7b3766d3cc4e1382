"""The backends that can run here; tests iterate over these."""

from __future__ import annotations

import numpy as np

import numformats as nf


def runs(name: str) -> bool:
    try:
        nf.quantize(np.float32([1.0]), "e4m3", backend=name)
    except (ValueError, ImportError, RuntimeError):
        return False
    return True


BACKENDS = [name for name in nf.backends() if runs(name)]
OTHERS = [name for name in BACKENDS if name != "reference"]

# A backend that fails to run would otherwise leave every test that iterates over it empty.
assert {"reference", "numba_cpu"} <= set(BACKENDS), f"cannot run both CPU backends: {BACKENDS}"
