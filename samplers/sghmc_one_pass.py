"""The exponential step of SGHMC on one tensor in one pass over memory."""

from __future__ import annotations

import functools

import torch

import numformats as nf
from samplers.precision import Precision
from samplers.steps import Draw, fusible
from samplers.underdamped import Dynamics, moments


def one_pass(
    theta: torch.Tensor,
    velocity: torch.Tensor,
    grad: torch.Tensor,
    weight_decay: float,
    d: Dynamics,
    precision: Precision,
    key: nf.Key,
) -> Draw:
    """The step of ``samplers.sghmc_steps.exponential`` from the gradient of the mean loss.

    Args:
        theta: the accumulator, float32 on the host or a CUDA device, any shape.
        velocity: same shape.
        grad: ∇loss, same shape, any dtype.
        weight_decay: wd.
        d: constants of the dynamics.
        precision: formats, rounding and accumulator.
        key: of this parameter and step.

    Returns:
        New tensors. Promise: where `one_pass_serves`, the bits of the composition on the host, on
        CUDA devices too.
    """
    done = nf.underdamped_step(
        theta,
        velocity,
        grad.to(theta.dtype),
        moments=moments(d),
        key=key,
        weight_decay=weight_decay,
        gradient=precision.gradient,
        weight=precision.weight,
        accumulator=precision.accumulator,
        rounding=precision.rounding,
    )
    carried = {"velocity": done.velocity, "velocity_scale": done.scale}
    values = 1 if precision.accumulator == "full" else 2
    return Draw(done.stored, done.seen, done.deficit, done.saturated, carried, values)


def one_pass_serves(theta: torch.Tensor, precision: Precision) -> bool:
    """Whether one pass over memory gives the bits of the composition on the host; CUDA devices take
    it whatever their ``addcmul`` rounds, so that they give the host's bits."""
    on_host = theta.device.type == "cpu"
    known = on_host or theta.device.type == "cuda"
    return known and fusible(theta, precision) and (not on_host or torch_fuses_products())


@functools.cache
def torch_fuses_products() -> bool:
    """Whether torch rounds ``x.addcmul(y, z)`` and ``torch.rsub(y, x, alpha=a)`` once on the
    host."""
    up, square = 1 + 2**-12, -1 - 2**-11
    x, y = (torch.full((71,), value, dtype=torch.float32) for value in (square, up))
    found = (x.addcmul(y, y), torch.rsub(y, square, alpha=-up))
    return all(bool((each == 2**-24).all()) for each in found)
