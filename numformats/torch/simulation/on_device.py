"""Exact products of tensors that are not in host memory, computed where they lie."""

import torch

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.accelerators.products import Call
from numformats.engines import PhasedChain
from numformats.torch.simulation.storing import Elements, working

Tensor = torch.Tensor


def elsewhere(x: Tensor) -> bool:
    """Whether ``x`` lies where NumPy cannot read it."""
    return x.device.type != "cpu"


def serves(chip: Accelerator, roles: tuple[str, str]) -> bool:
    """Whether the engine takes what is stored once; the rest is arithmetic of NumPy."""
    engine = chip.engine_for(roles)
    return not (chip.integer or engine.scaled or isinstance(engine, PhasedChain))


def multiply_there(
    chip: Accelerator,
    a: Elements,
    b: Elements,
    roles: tuple[str, str],
    c: Tensor | None,
    call: Call,
) -> Tensor:
    """(..., M, K) times (..., N, K) transposed, plus c: the bits of ``multiply_stored``."""
    engine, scaled = chip.engine_for(roles), a.scale is not None or b.scale is not None
    start = None if c is None or scaled else nf.quantize(torch.atleast_2d(c), engine.c_values)
    found = nf.matmul(a.values, b.values.mT, start, engine=engine, key=call.part(2))
    if not scaled:
        return working(found)
    one = torch.ones((), device=found.device)
    factor = (one if a.scale is None else a.scale) * (one if b.scale is None else b.scale)
    result: Tensor = found.float() * factor
    return result if c is None else c.float() + result
