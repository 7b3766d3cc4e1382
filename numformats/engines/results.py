"""Where results of ``matmul`` go, and what they start from."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from numformats.arrays import Host, like
from numformats.engines.engine import Engine
from numformats.engines.job import Job, Operand, check_values
from numformats.engines.stripes import Results
from numformats.formats import FixedPoint, Float
from numformats.halves import floats
from numformats.lanes import CARRIERS, LANE32, Carrier
from numformats.outputs import written
from numformats.tasks import fits


def holds(carrier: Carrier, fmt: FixedPoint | Float) -> bool:
    """Whether a dtype holds every value of ``fmt``."""
    if not fits(fmt, carrier.lane):
        return False
    if carrier.name in ("float32", "float64"):
        return True
    held = Float(5, 10) if carrier.name == "float16" else Float(8, 7)
    if isinstance(fmt, FixedPoint):
        return fmt.max_code.bit_length() <= held.man_bits and fmt.frac_bits == 0
    return (
        fmt.man_bits <= held.man_bits
        and fmt.emax <= held.emax
        and fmt.low_exponent >= held.low_exponent
    )


def result_carrier(engine: Engine, kind: str) -> Carrier:
    """The dtype of results when no ``out`` is given."""
    fmt = engine.results
    if isinstance(fmt, Float) and (fmt.exp_bits, fmt.man_bits) == (5, 10) and fmt.has_inf:
        return CARRIERS["float16"]
    if kind == "torch" and isinstance(fmt, Float) and (fmt.exp_bits, fmt.man_bits) == (8, 7):
        return CARRIERS["bfloat16"]
    return CARRIERS["float64" if wide_results(engine) else "float32"]


def target_of(out: Any, first: Host, shape: tuple[int, ...], engine: Engine) -> Host:
    """Where the results go, as NumPy sees it."""
    if out is None:
        carrier = result_carrier(engine, first.kind)
        kind = np.uint16 if carrier.name == "bfloat16" else np.dtype(carrier.name)
        return replace(first, view=np.empty(shape, kind), carrier=carrier)
    target = written(out)
    if target.kind != first.kind:
        raise TypeError(f"out is a {target.kind} array and a a {first.kind} array; give one kind")
    if target.shape != shape or not holds(target.carrier, engine.results):
        raise ValueError(
            f"out has shape {target.shape}, dtype {target.carrier.name}; the result has shape "
            f"{shape} and values of {engine.results}: write out=numpy.empty({shape}, "
            f"numpy.{result_carrier(engine, 'numpy').name})"
        )
    return target


def wide_results(engine: Engine) -> bool:
    """Whether results or c need float64."""
    return not (fits(engine.results, LANE32) and fits(engine.c_values, LANE32))


def results_of(target: Host, c: Host | None, operands: list[Host], engine: Engine) -> Results:
    """The stripes of ``target``, which start from c.

    Raises:
        ValueError: a value of c that its format lacks.
    """
    dtype = "float64" if wide_results(engine) else "float32"
    read, narrow = [x.view for x in operands], partial(_narrowed, carrier=target.carrier)
    if c is None:
        return Results(target.view, dtype, read, narrow=narrow)
    check_values(Operand("c", c.view, c.carrier, None, c.shape), engine.c_values)
    widen = partial(floats, carrier=c.carrier)
    return Results(target.view, dtype, read, c.view, widen, narrow)


def run_or_round(engine: Engine, job: Job) -> None:
    """Add the products of ``job`` to ``job.out``; where there are none, give c the format of the
    results."""
    if job.a.bits.shape[2]:
        engine.run(job)
    elif engine.c_values != engine.results:
        job.reader.rounded(job.out, engine.results)


def given(target: Host, out: Any) -> Any:
    """The target as the caller's kind of array."""
    if out is not None:
        return out
    return like(target.view, target, target.view) if target.kind != "numpy" else target.view


def _narrowed(work: Any, carrier: Carrier) -> Any:
    if carrier.name == "bfloat16":
        return (work.astype(np.float32, copy=False).view(np.uint32) >> np.uint32(16)).astype(
            np.uint16
        )
    return work
