"""Underdamped steps that the tests of backends share: every accumulator, grids of each kind."""

from __future__ import annotations

from typing import Any

import numpy as np

import numformats as nf
from tests.inputs import assert_same_bits

# friction 3, inverse mass 2, step size 0.09
MOMENTS = nf.UnderdampedMoments(0.7634, 0.0789, 0.1577, 0.0074, 0.0083, 2.1e-05, 0.00031)
STILL = MOMENTS._replace(var_v=0.0, var_x=0.0, cov=0.0)


def _step(accumulator: str, weight: str | None, **more: Any) -> dict[str, Any]:
    how = {"accumulator": accumulator, "weight": weight, "moments": MOMENTS, "key": nf.Key(11, 3)}
    return how | more


STEPS: dict[str, dict[str, Any]] = {
    "full, float32": _step("full", None),
    "full, float32, still": _step("full", None, moments=STILL, gradient="e5m2"),
    "full, e4m3": _step("full", "e4m3", gradient="fixed<8,6>", weight_decay=0.1),
    "low, fixed": _step("low", "fixed<8,6>", gradient="e5m2", weight_decay=0.1),
    "low, bf16": _step("low", "bf16"),
    "corrected, fixed": _step("variance_corrected", "fixed<8,6>", gradient="fixed<8,6>"),
    "corrected, e4m3": _step("variance_corrected", "e4m3", weight_decay=0.1),
    "corrected, wide gap": _step("variance_corrected", "float<4,3,subnormals=false>"),
    "corrected, still": _step("variance_corrected", "e5m2", moments=STILL),
    "corrected, bf16": _step("variance_corrected", "bf16"),
}


def given_for(n: int, seed: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, velocities and gradients, each aligned for vector loads; zeros, grid points and
    values beyond ranges among them."""
    rng = np.random.default_rng(seed)
    theta, velocity, grad = (rng.normal(size=n).astype(np.float32) for _ in range(3))
    velocity *= np.float32(0.05)
    theta[: n // 50], grad[: n // 60], theta[n // 2 : n // 2 + n // 50] = 0.0, 1e-3, 3.75
    return theta, velocity, grad


def compare(how: dict[str, Any], n: int, shift: int, backend: str) -> None:
    """A step of ``n`` elements on ``backend`` beside the reference's; arrays begin at ``shift``."""
    given = [a[shift:] for a in given_for(n + shift)]
    got, wanted = (nf.underdamped_step(*given, backend=b, **how) for b in (backend, "reference"))
    assert_same_step(got, wanted)


def assert_same_step(got: nf.UnderdampedStep, wanted: nf.UnderdampedStep) -> None:
    """Equal bits, scales and counts."""
    for a, b in zip(got[:3], wanted[:3], strict=True):
        assert_same_bits(a, b)
    assert got[3:] == wanted[3:], f"{got[3:]} and {wanted[3:]} differ"
