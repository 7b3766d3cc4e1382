"""``langevin_step`` on CUDA devices. The counts wait for the device where a weight is rounded."""

from typing import Any

import numpy as np

from numformats.backends import select
from numformats.device_libraries import Library, flat, library
from numformats.device_places import carrier_for
from numformats.langevin_tasks import Step, check_operands


def step(
    theta: Any, grad: Any, how: Step, backend: str, inplace: bool
) -> tuple[Any, Any, int, int]:
    """The accumulator, the weight and the counts."""
    (found, x), (other, slope) = library(theta), library(grad)
    _check(found, x, other, slope)
    module, shape = select(backend, "cuda"), tuple(x.shape)
    stored = theta if inplace else found.empty(shape, "float32", x)
    if not found.contiguous(stored):
        raise ValueError("theta is not C contiguous; give a contiguous one, or inplace=False")
    seen = found.empty(shape, "float32", x) if how.keeps else stored
    counts = (0, 0)
    if 0 not in shape:
        given = (found.compact(x), other.compact(slope), stored, seen)
        counts = module.langevin(how.task(*(flat(found, a, np.float32) for a in given)))
    return stored, seen, *counts


def _check(found: Library, theta: Any, other: Library, grad: Any) -> None:
    parts = ((found, "theta", theta), (other, "grad", grad))
    dtypes = {name: carrier_for(lib, given, name).name for lib, name, given in parts}
    check_operands(dtypes, tuple(theta.shape), tuple(grad.shape))
    if other.device(grad) != found.device(theta):
        raise ValueError(
            f"grad is on device {other.device(grad)}, theta on device {found.device(theta)}; move "
            "one of them first"
        )
