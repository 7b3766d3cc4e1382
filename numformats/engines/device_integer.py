"""Integer matrix products of arrays on CUDA devices."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from numformats.backends import select
from numformats.backends.chain_task import PlainTask
from numformats.backends.reading_task import WrapTask
from numformats.device import DeviceArray
from numformats.engines.device_arrays import Given, all_given, check_target
from numformats.engines.device_results import DeviceResults
from numformats.engines.integer_reading import IntegerReader
from numformats.engines.job import Job, batches
from numformats.engines.layouts import layout
from numformats.engines.matrices import Matrices
from numformats.engines.splitting import Groups
from numformats.engines.stripes import parts_of


def multiply(engine: Any, a: Any, b: Any, c: Any, backend: str, out: Any) -> Any:
    """``nf.matmul`` for integer engines on a device."""
    given = all_given({"a": a, "b": b, "c": c})
    for x in given.values():
        _check_dtype(x)
    first, second, third = given["a"], given["b"], given.get("c")
    lead = batches(first, second, third)
    shape = (*lead, first.shape[-2], second.shape[-1])
    module, target = select(backend, "cuda"), _target(engine, first, shape, out)
    if 0 not in shape:
        limits = dict(zip("abc", (*engine.ranges, engine.limits), strict=True))
        reader = IntegerReader(module, limits)
        job = Job(reader.operand(first, lead), reader.operand(second, lead), None, module, reader)
        start = None if third is None else reader.operand(third, lead)
        _run(engine, job, start, target, out is not None)
    return target.array if out is None else out


def _check_dtype(x: Given) -> None:
    kind = x.library.dtype(x.array)
    if not kind.startswith(("int", "uint")):
        raise TypeError(
            f"{x.name} has dtype {kind}; integer engines take integer arrays: write "
            f"{x.name}.astype('int8') (torch: {x.name}.to(torch.int8)), or int32"
        )


def _target(engine: Any, first: Given, shape: tuple[int, ...], out: Any) -> Given:
    if out is None:
        return Given(first.library.empty(shape, engine.dtype.name, first.array), "out")
    target = all_given({"a": first.array, "out": out})["out"]
    check_target(target, first)
    kind = target.library.dtype(target.array)
    if target.shape != shape or kind != engine.dtype.name:
        raise ValueError(
            f"out has shape {target.shape}, dtype {kind}; the result has shape {shape}: write "
            f"out of dtype {engine.dtype}"
        )
    return target


def _run(engine: Any, job: Job, c: Any, target: Given, kept: bool) -> None:
    """Every stripe of the results; ``kept``: the target is as it was after an error."""
    reader, clamps = job.reader, engine.overflow == "saturate"
    dtype = np.dtype(np.int64) if clamps else engine.dtype
    spare = 0 if clamps else 8 * dtype.itemsize - engine.accumulator_bits
    given = [x for x in (job.a, job.b, c) if x is not None]
    results = DeviceResults(
        reader, target, dtype, engine.dtype, [job.a, job.b], c, reader.spread,
        partial(_put, job.backend, spare), kept and any(map(reader.asks, given)),
    )  # fmt: skip
    if len(results.parts) > 1:
        done = {x.name: reader.checked(x) for x in given}
        job, results.c = replace(job, a=done["a"], b=done["b"]), done.get("c")
    for stripe, part in parts_of(job, results.parts, results.whole.shape):
        work = results.start(stripe)
        if job.a.bits.columns:
            _add(engine, part, work)
        results.put(stripe, work, changed=spare > 0)
    results.done()


def _add(engine: Any, job: Job, total: DeviceArray) -> None:
    clamps = engine.overflow == "saturate"
    groups = Groups(engine.length if clamps else 4)
    whole = None if not clamps else groups
    a, b = job.reader.read(job.a, 2, whole), job.reader.read(job.b, 1, whole)
    limits = engine.limits if clamps else (0, 0)
    job.backend.plain(
        PlainTask("integer", a, b, job.a.at, job.b.at, total, groups.stored, limits=limits)
    )


def _put(module: Any, spare: int, total: DeviceArray, places: Matrices) -> None:
    """The accumulators in their places, modulo their width where they wrap."""
    module.wrap_integers(WrapTask(total, places.memory, spare, layout(places, 2)))
