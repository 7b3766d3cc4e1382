"""``matmul`` of arrays on CUDA devices. Nothing is copied to the host but what an error names."""

from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from numformats.backends import select
from numformats.backends.reading_task import CastTask
from numformats.device_libraries import flat
from numformats.engines.arguments import check_scales
from numformats.engines.device_arrays import Given, all_given, same_library
from numformats.engines.device_reading import DeviceReader
from numformats.engines.engine import Engine
from numformats.engines.job import Job, Operand, batches
from numformats.engines.results import holds, result_carrier, wide_results
from numformats.lanes import CARRIERS
from numformats.random import Key


def matmul(
    a: Any,
    b: Any,
    c: Any,
    engine: Engine,
    scale_a: Any,
    scale_b: Any,
    key: Key | None,
    backend: str,
    out: Any,
) -> Any:
    """``nf.matmul`` on a device, but for integer engines."""
    given = all_given({"a": a, "b": b, "c": c, "scale_a": scale_a, "scale_b": scale_b})
    first, second, third = given["a"], given["b"], given.get("c")
    lead = batches(first, second, third)
    shape = (*lead, first.shape[-2], second.shape[-1])
    levels: list[Operand | None] = [None, None]
    if engine.scaled:
        check_scales(engine, first, second, (given["scale_a"], given["scale_b"]))
        levels = [given[name].operand(given[name].shape[:-2]) for name in ("scale_a", "scale_b")]
    module, target = select(backend, "cuda"), target_of(out, first, shape, engine)
    if 0 not in shape:
        reader = DeviceReader(module)
        left, right = first.operand(lead), second.operand(lead)
        work = started(reader, left, third, lead, shape, engine)
        if first.shape[-1]:
            engine.run(Job(left, right, work, module, reader, levels[0], levels[1], key))
        finish(module, work, target)
    return target.array if out is None else out


def target_of(out: Any, first: Given, shape: tuple[int, ...], engine: Engine) -> Given:
    """Where the results go."""
    wanted = result_carrier(engine, first.library.kind)
    if out is None:
        return Given(first.library.empty(shape, wanted.name, first.array), "out")
    target = all_given({"a": first.array, "out": out})["out"]
    same_library(target, first)
    if target.shape != shape or not holds(target.carrier, engine.results):
        raise ValueError(
            f"out has shape {target.shape}, dtype {target.carrier.name}; the result has shape "
            f"{shape} and values of {engine.results}: write out of dtype {wanted.name}"
        )
    return target


def started(
    reader: DeviceReader, like: Operand, c: Given | None, lead: tuple[int, ...],
    shape: tuple[int, ...], engine: Engine,
) -> Any:  # fmt: skip
    """The array that the engine adds to, holding c or zero."""
    carrier = CARRIERS["float64" if wide_results(engine) else "float32"]
    extent = (prod(lead), *shape[-2:])
    if c is None:
        return reader.module.zeros(extent, np.dtype(carrier.name), like.bits)
    return reader.spread(c.operand(lead), engine.c_values, extent, np.dtype(carrier.name))


def finish(module: Any, work: Any, target: Given) -> None:
    """The results in the target, in its dtype."""
    found, array = target.library, target.array
    contiguous = found.contiguous(array)
    made = array if contiguous else found.empty(target.shape, target.carrier.name, array)
    source = CARRIERS[np.dtype(work.dtype).name]
    bits, out = (
        replace(work, dtype=np.dtype(source.stored)),
        flat(found, made, target.carrier.stored),
    )
    module.cast(CastTask(bits, out, source, target.carrier))
    if not contiguous:
        found.assign(array, made)
