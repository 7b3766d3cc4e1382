"""``matmul`` of arrays on CUDA devices. Nothing is copied to the host but what an error names."""

from dataclasses import replace
from functools import partial
from typing import Any

from numformats.backends import select
from numformats.device import DeviceArray
from numformats.engines.arguments import check_scales
from numformats.engines.device_arrays import Given, all_given, check_target
from numformats.engines.device_checks import check_numbers, checked, needs_check
from numformats.engines.device_reading import DeviceReader
from numformats.engines.device_results import DeviceResults, put_floats
from numformats.engines.engine import Engine
from numformats.engines.job import Job, Operand, batches, refuse_device
from numformats.engines.results import holds, result_carrier, run_or_round, wide_results
from numformats.engines.stripes import parts_of
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
    levels: tuple[Operand | None, Operand | None] = (None, None)
    if engine.scaled:
        check_scales(engine, first, second, (given["scale_a"], given["scale_b"]))
        left, right = given["scale_a"], given["scale_b"]
        levels = left.operand(left.shape[:-2]), right.operand(right.shape[:-2])
    module, target = select(backend, "cuda"), target_of(out, first, shape, engine)
    if 0 not in shape:
        if engine.host_only:
            refuse_device("a")
        reader, operands = DeviceReader(module), (first.operand(lead), second.operand(lead))
        job = Job(*operands, None, module, reader, *levels, key)
        start = None if third is None else third.operand(lead)
        _run(engine, job, start, target, out is not None)
    return target.array if out is None else out


def target_of(out: Any, first: Given, shape: tuple[int, ...], engine: Engine) -> Given:
    """Where the results go."""
    wanted = result_carrier(engine, first.library.kind)
    if out is None:
        return Given(first.library.empty(shape, wanted.name, first.array), "out")
    target = all_given({"a": first.array, "out": out})["out"]
    check_target(target, first)
    if target.shape != shape or not holds(target.carrier, engine.results):
        raise ValueError(
            f"out has shape {target.shape}, dtype {target.carrier.name}; the result has shape "
            f"{shape} and values of {engine.results}: write out of dtype {wanted.name}"
        )
    return target


def _run(engine: Engine, job: Job, c: Operand | None, target: Given, kept: bool) -> None:
    """Every stripe of the results; ``kept``: the target is as it was after an error."""
    reader, late = job.reader, kept and needs_check(job, c, engine)
    read = [x for x in (job.a, job.b, job.scale_a, job.scale_b) if x is not None]
    dtype = "float64" if wide_results(engine) else "float32"
    results = DeviceResults(
        reader, target, dtype, target.carrier.stored, read, c,
        partial(_begin, reader, engine), partial(put_floats, job.backend, target.carrier), late,
    )  # fmt: skip
    if len(results.parts) > 1:
        job = checked(reader, job, engine)
        if c is not None:
            check_numbers(reader, c, engine.c_values)
            results.c = replace(c, checked=True)
    for stripe, part in parts_of(job, results.parts, results.whole.shape):
        work = results.start(stripe)
        run_or_round(engine, replace(part, out=work))
        results.put(stripe, work)
    results.done()


def _begin(reader: DeviceReader, engine: Engine, c: Operand, work: DeviceArray) -> None:
    reader.spread(c, engine.c_values, work)
