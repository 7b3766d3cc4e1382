"""``langevin_step`` and ``underdamped_step`` on CUDA devices. Nothing waits for the device."""

from typing import Any

import numpy as np

from numformats.backends import select
from numformats.device import on_device
from numformats.device_libraries import Library, flat, flats, library
from numformats.device_places import carrier_for, places, target_for
from numformats.langevin_tasks import SINGLE, Step, check_operands
from numformats.underdamped_tasks import UnderdampedStepPlan


def langevin(
    theta: Any, grad: Any, how: Step, backend: str, inplace: bool, out: Any
) -> tuple[Any, ...]:
    """The accumulator, the weight and the counts."""
    found, sources = _operands(theta=theta, grad=grad)
    module, x = select(backend, "cuda"), sources[0]
    shape = tuple(x.shape)
    stored = theta if inplace else found.empty(shape, "float32", x)
    if not found.contiguous(stored):
        raise ValueError("theta is not C contiguous; give a contiguous one, or inplace=False")
    target = target_for(found, out, x, SINGLE) if how.keeps else stored
    seen = places(found, sources[1], target)[1] if out is not None else target
    counts = found.counts(2, x)
    if 0 not in shape:
        given = flats(found, np.float32, *sources, stored, seen)
        module.langevin(how.task(*(*given, flat(found, counts, np.int64))))
    if seen is not target:
        found.assign(target, seen)
    return stored, target if out is None else out, counts[0], counts[1]


def underdamped(
    theta: Any, velocity: Any, grad: Any, plan: UnderdampedStepPlan, backend: str
) -> tuple[Any, ...]:
    """The accumulator, the weight, the velocity, its scale and the counts."""
    found, sources = _operands(theta=theta, velocity=velocity, grad=grad)
    module, x = select(backend, "cuda"), sources[0]
    shape = tuple(x.shape)
    stored, moved = (found.empty(shape, "float32", x) for _ in range(2))
    seen = found.empty(shape, "float32", x) if plan.step.keeps else stored
    left = found.empty(shape if plan.draws else (1,), "float32", x)
    numbers, scale = found.counts(5, x), 1.0
    if 0 not in shape:
        given = flats(found, np.float32, *sources, stored, seen, moved, left)
        task = plan.task(*(*given, flat(found, numbers, np.int64)))
        module.underdamped(task)
        scale = found.floats(numbers)[4] if task.few_bits else 1.0
    return stored, seen, moved, scale, numbers[0], numbers[1]


def _operands(**given: Any) -> tuple[Library, list[Any]]:
    """The library of the first array, and all compact, after checking that they match."""
    for name, array in given.items():
        if not on_device(array):
            raise ValueError(
                f"{name} is on the host, theta on a CUDA device; move one of them first"
            )
    read = {name: library(array) for name, array in given.items()}
    dtypes = {name: carrier_for(lib, array, name).name for name, (lib, array) in read.items()}
    found, theta = read["theta"]
    for name, (lib, array) in read.items():
        check_operands(dtypes, tuple(theta.shape), tuple(array.shape), name)
        if lib.device(array) != found.device(theta):
            raise ValueError(
                f"{name} is on device {lib.device(array)}, theta on device {found.device(theta)}; "
                "move one of them first"
            )
    return found, [lib.compact(array) for lib, array in read.values()]
