"""``langevin_step``: one step of stochastic gradient Langevin dynamics in few bits, in one pass
over memory."""

from typing import Any, NamedTuple

import numpy as np

from numformats import device_steps
from numformats.arrays import host, like
from numformats.backends import select
from numformats.device import on_device
from numformats.dtypes import FormatLike
from numformats.halves import place_for
from numformats.langevin_tasks import check_operands, step
from numformats.outputs import check_out, written
from numformats.random import Key


class LangevinStep(NamedTuple):
    """Outcome of a step: the accumulator, the weight that forward and backward use (the same array
    where they are equal by definition), how many elements got more variance than asked, and how
    many lay beyond the range of the weight's format: as `DrawCounts` has them."""

    stored: Any
    seen: Any
    deficit: Any
    saturated: Any


def langevin_step(
    theta: Any,
    grad: Any,
    *,
    lr: float,
    variance: float,
    key: Key | int,
    weight_decay: float = 0.0,
    gradient: FormatLike | None = None,
    weight: FormatLike | None = None,
    accumulator: str = "full",
    rounding: str = "stochastic",
    backend: str = "auto",
    inplace: bool = False,
    out: Any = None,
) -> LangevinStep:
    """θ ← Q(θ - lr·(Q_G(grad) + weight_decay·θ), variance), by the accumulator, in one pass.

    ``full``: θ ← m + √variance·ξ, and the weight is Q_W(θ). ``low``: θ ← Q_W(m + √variance·ξ).
    ``variance_corrected``: θ ← Q^vc(m, variance) on the grid of ``weight``.

    Args:
        theta: float32 array of any shape, on the host or on a CUDA device: the accumulator.
        grad: like ``theta``.
        lr: step size.
        variance: of the injected noise, 2·lr·T/N; 0 adds none.
        key: of this tensor and step; folded once more for the gradient (0), noise (1), weight (2).
        weight_decay: multiplies θ in the drift.
        gradient: format of the gradient, None leaves it.
        weight: format of the weight, None leaves it. Block and wrapping formats are refused here;
            compose ``quantize``, ``random.normal`` and ``variance_corrected`` for those.
        accumulator: ``"full"``, ``"low"`` or ``"variance_corrected"``.
        rounding: of gradient and weight, a name in ``nf.roundings()``.
        backend: ``"auto"`` or a name in ``nf.backends()``.
        inplace: write the accumulator into ``theta``, which on a device is C contiguous.
        out: receives the weight, like ``theta``, where an accumulator is kept apart from it.

    Returns:
        ``LangevinStep``. Promise: bit-identical across backends, and to the composition of the
        public functions with ``torch.add(x, y, alpha=a)`` for x + a·y, whose multiply-add is fused.

    Raises:
        TypeError: another dtype than float32.
        ValueError: shapes that differ, unknown names, a block format, an accumulator in low
            precision without ``weight``, an ``out`` that is no place of its own.

    Example:
        >>> theta, grad = np.float32([0.5, -0.25]), np.float32([0.1, -0.3])
        >>> langevin_step(theta, grad, lr=0.5, variance=0.0, key=0, weight="fixed<8,3>",
        ...               rounding="nearest_even").seen
        array([ 0.5  , -0.125], dtype=float32)

    Reference: Zhang, Wilson, De Sa, ICML 2022 (arXiv 2206.09909), Algorithms 1 and 2.
    """
    how = step(lr, variance, key, weight_decay, gradient, weight, accumulator, rounding)
    if out is not None and (out is theta or not how.keeps):
        raise ValueError(
            "out receives the weight where accumulator='full' keeps it apart from theta; give out "
            "an array of its own there, and write inplace=True elsewhere"
        )
    if on_device(theta):
        return LangevinStep(*device_steps.langevin(theta, grad, how, backend, inplace, out))
    source = written(theta, "theta") if inplace else host(theta, "theta")
    slope = host(grad, "grad")
    dtypes = {"theta": source.carrier.name, "grad": slope.carrier.name}
    check_operands(dtypes, source.shape, slope.shape)
    target = None if out is None else check_out(out, theta, source)
    x, g = (np.ascontiguousarray(a.view).reshape(-1) for a in (source, slope))
    stored = x if inplace else np.empty_like(x)
    if target is not None:
        seen = place_for(place_for(target.view, x, source), g, source)
    else:
        seen = np.empty_like(x) if how.keeps else stored
    counts = np.zeros(2, np.int64)
    if x.size:
        select(backend).langevin(how.task(x, g, stored, seen, counts))
    if inplace and not np.may_share_memory(stored, source.view):
        source.view[...] = stored.reshape(source.shape)
    kept = theta if inplace else like(theta, source, stored.reshape(source.shape))
    if target is None:
        used = like(theta, source, seen.reshape(source.shape)) if how.keeps else kept
        return LangevinStep(kept, used, *counts.tolist())
    if not np.may_share_memory(seen, target.view):
        target.view[...] = seen.reshape(source.shape)
    return LangevinStep(kept, out, *counts.tolist())
