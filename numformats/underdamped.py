"""``underdamped_step``: one step of stochastic gradient Hamiltonian Monte Carlo in few bits, in one
pass over memory."""

from typing import Any, NamedTuple

import numpy as np

from numformats import device_steps
from numformats.arrays import host, like
from numformats.backends import select
from numformats.device import on_device
from numformats.dtypes import FormatLike
from numformats.langevin_tasks import check_operands, step
from numformats.random import Key
from numformats.underdamped_tasks import UnderdampedMoments, UnderdampedStepPlan, check_moments


class UnderdampedStep(NamedTuple):
    """Outcome of a step: the accumulator, the weight that forward and backward use (the same array
    where they are equal by definition), the velocity and the power of two in whose units it is
    kept, how many values got more variance than asked, and how many lay beyond the range of the
    weight's format. Of CuPy arrays and CUDA tensors the counts, and a scale that was found, are 0-d
    arrays like these; else numbers."""

    stored: Any
    seen: Any
    velocity: Any
    scale: Any
    deficit: Any
    saturated: Any


def underdamped_step(
    theta: Any,
    velocity: Any,
    grad: Any,
    *,
    moments: UnderdampedMoments,
    key: Key | int,
    weight_decay: float = 0.0,
    gradient: FormatLike | None = None,
    weight: FormatLike | None = None,
    accumulator: str = "full",
    rounding: str = "stochastic",
    backend: str = "auto",
) -> UnderdampedStep:
    """One step of (θ, v) with the gradient g = Q_G(grad) + weight_decay·θ held fixed.

        v' = decay·v - kick_v·g + ξv        θ' = θ + drift·v - kick_x·g + ξx

    ``full``: both in float32, and the weight is Q_W(θ'). ``low``: both rounded, the velocity in
    units of a power of two. ``variance_corrected``: θ' ← Q^vc(m_x, var_x), then
    v' ← Q^vc(m_v + b·n, var_v - b·cov), n = θ' - m_x, b = cov/Var(n).

    Args:
        theta: float32 array of any shape, on the host or on a CUDA device: the accumulator.
        velocity: like ``theta``.
        grad: like ``theta``.
        moments: of the step; ``var_x`` 0 adds no noise.
        key: of this tensor and step; folded once more for the gradient (0), noise (1), weight (2),
            noise of the velocity (3), velocity (4).
        weight_decay: multiplies θ in g.
        gradient: format of the gradient, None leaves it.
        weight: format of weight and velocity, None leaves them. Block and wrapping formats are
            refused here; compose the public functions for those.
        accumulator: ``"full"``, ``"low"`` or ``"variance_corrected"``.
        rounding: of gradient, weight and velocity, a name in ``nf.roundings()``.
        backend: ``"auto"`` or a name in ``nf.backends()``.

    Returns:
        ``UnderdampedStep``. Promise: bit-identical across backends, and to the composition of the
        public functions with ``torch.add(x, y, alpha=a)`` for x + a·y, whose multiply-add is fused.

    Raises:
        TypeError: another dtype than float32.
        ValueError: shapes that differ, unknown names, a block format, an accumulator in low
            precision without ``weight``, moments that no step has.

    Example:
        >>> theta, velocity, grad = np.float32([0.5]), np.float32([1.0]), np.float32([0.25])
        >>> still = UnderdampedMoments(0.5, 0.25, 0.5, 0.125, 0.0, 0.0, 0.0)
        >>> done = underdamped_step(theta, velocity, grad, moments=still, key=0)
        >>> done.stored, done.velocity
        (array([0.71875], dtype=float32), array([0.375], dtype=float32))

    Reference: Wang, Chen, Song, Zhang, TMLR 2024 (arXiv 2310.16320), with the sign of the gradient
        in θ corrected and the covariance kept (docs/decisions/0013).
    """
    check_moments(moments)
    how = step(0.0, moments.var_x, key, weight_decay, gradient, weight, accumulator, rounding)
    plan = UnderdampedStepPlan(how, moments)
    if on_device(theta):
        return UnderdampedStep(*device_steps.underdamped(theta, velocity, grad, plan, backend))
    return UnderdampedStep(*_on_host(theta, velocity, grad, plan, backend))


def _on_host(
    theta: Any, velocity: Any, grad: Any, plan: UnderdampedStepPlan, backend: str
) -> tuple[Any, Any, Any, float, int, int]:
    given = {"theta": theta, "velocity": velocity, "grad": grad}
    sources = {name: host(array, name) for name, array in given.items()}
    dtypes = {name: source.carrier.name for name, source in sources.items()}
    shape = sources["theta"].shape
    for name in ("velocity", "grad"):
        check_operands(dtypes, shape, sources[name].shape, name)
    flat = [np.ascontiguousarray(source.view).reshape(-1) for source in sources.values()]
    stored, moved = np.empty_like(flat[0]), np.empty_like(flat[0])
    seen = np.empty_like(stored) if plan.step.keeps else stored
    left = np.empty(stored.size if plan.draws else 1, np.float32)
    found, scale = np.zeros(5, np.int64), 1.0
    if stored.size:
        task = plan.task(*(*flat, stored, seen, moved, left, found))
        select(backend).underdamped(task)
        scale = float(found.view(np.float64)[4]) if task.few_bits else 1.0
    made = (like(theta, sources["theta"], x.reshape(shape)) for x in (stored, seen, moved))
    kept, used, carried = made
    used = used if plan.step.keeps else kept
    return kept, used, carried, scale, *found[:2].tolist()
