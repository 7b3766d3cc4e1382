"""Variances for elements, for all backends: ordinary ones, either side of laws, and beyond what
float32 serves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import numformats as nf
from tests.inputs import assert_same_bits

FORMATS = ["e4m3", "fixed<8,4>", "e2m1", "bf16", "float<4,3,subnormals=false>", "fixed<8,60>"]
VARIANCES = np.float32(
    [
        *(0.0, 1e-12, 1e-4, 0.3, 300.0, 1e20, 1e37),
        *(0.25, 0.25 * (1 - 2**-24), 0.25 * (1 + 2**-23)),  # of the gap 1
        *(2.0**k for k in (-149, -127, -126, -81, -80, -40, 40, 119, 120, 121)),
    ]
)


def cases(n: int) -> list[tuple[str, tuple[np.ndarray, np.ndarray]]]:
    """Formats, means, and variances in float32 and float64."""
    rng = np.random.default_rng(2)
    mean = (rng.normal(size=n) * 2.0 ** rng.integers(-8, 9, n)).astype(np.float32)
    each = np.resize(VARIANCES, n)
    return [(f, (mean, each.astype(kind))) for f in FORMATS for kind in (np.float32, np.float64)]


def compare(backend: str, n: int, to: Any = np.asarray, back: Any = np.asarray) -> int:
    """Draws by ``backend`` and the reference; how many pairs."""
    how: Any = {"key": nf.Key(3, start=1), "return_counts": True}
    for fmt, (mean, variance) in cases(n):
        wanted = nf.variance_corrected(mean, variance, fmt, backend="reference", **how)
        got = nf.variance_corrected(to(mean), to(variance), fmt, backend=backend, **how)
        assert_same_bits(back(got[0]), wanted[0])
        assert got[1] == wanted[1], (fmt, variance.dtype)
    return len(cases(n))
