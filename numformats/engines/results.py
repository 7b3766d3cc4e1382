"""Where results of ``matmul`` go, what they start from, and the checks of its arguments."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from numformats.arrays import Host, host, like
from numformats.engines.engine import Engine
from numformats.engines.job import Operand, check_values, operand, values
from numformats.formats import FixedPoint, Float
from numformats.lanes import CARRIERS, LANE32, Carrier
from numformats.random import Key, as_key
from numformats.tasks import fits


def check_kinds(sources: dict[str, Host]) -> None:
    """All operands are of one kind.

    Raises:
        TypeError: NumPy arrays beside tensors.
    """
    kinds = {name: source.kind for name, source in sources.items()}
    if len(set(kinds.values())) > 1:
        found = ", ".join(f"{name} is a {kind} array" for name, kind in kinds.items())
        raise TypeError(f"{found}; give all of one kind (torch.from_numpy, tensor.numpy())")


def checked_key(engine: Engine, key: Key | int | None) -> Key | None:
    """The key, which engines that draw random bits need.

    Raises:
        ValueError: it is missing.
    """
    if engine.keyed and key is None:
        raise ValueError(
            f"{type(engine).__name__} with a stochastic rounding mode draws random bits and key is "
            "missing; write key=0 or nf.Key(seed, stream)"
        )
    return as_key(key)


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
    target = host(out, "out")
    if target.kind != first.kind:
        raise TypeError(f"out is a {target.kind} array and a a {first.kind} array; give one kind")
    if target.shape != shape or not holds(target.carrier, engine.results):
        raise ValueError(
            f"out has shape {target.shape}, dtype {target.carrier.name}; the result has shape "
            f"{shape} and values of {engine.results}: write out=numpy.empty({shape}, "
            f"numpy.{result_carrier(engine, 'numpy').name})"
        )
    if not target.view.flags.writeable:
        raise ValueError("out is read-only; give an array that can be written")
    return target


def wide_results(engine: Engine) -> bool:
    """Whether results or c need float64."""
    return not (fits(engine.results, LANE32) and fits(engine.c_values, LANE32))


def working_array(target: Host, sources: Iterable[Host], engine: Engine) -> Any:
    """The float32 or float64 array that the engine adds to: the target itself where it can be."""
    name, view = "float64" if wide_results(engine) else "float32", target.view
    shared = any(np.may_share_memory(view, source.view) for source in sources)
    if target.carrier.name == name and view.flags["C_CONTIGUOUS"] and not shared:
        return view
    return np.empty(target.shape, name)


def fill(work: Any, c: Host | None, engine: Engine) -> None:
    """Start from c, or from zero."""
    if c is None:
        work[...] = 0
        return
    given = Operand("c", c.view, c.carrier, None, c.shape)
    check_values(given, engine.c_values)
    with np.errstate(invalid="ignore"):  # signalling NaN
        np.copyto(work, values(given), casting="same_kind")


def check_scales_given(engine: Engine, scale_a: Any, scale_b: Any) -> None:
    """Scales are there where the engine takes them, and only there."""
    if engine.scaled and (scale_a is None or scale_b is None):
        raise ValueError("the engine takes scales of blocks along K: give scale_a and scale_b")
    if not engine.scaled and (scale_a is not None or scale_b is not None):
        raise ValueError(
            f"{type(engine).__name__} takes no scales; leave scale_a and scale_b out, or "
            "choose an engine with scales"
        )


def check_scales(engine: Any, a: Any, b: Any, scales: tuple[Any, Any]) -> None:
    """Scales of shapes that go with those of the operands."""
    count = -(-a.shape[-1] // engine.scale_block)
    wanted = ((*a.shape[:-1], count), (*b.shape[:-2], count, b.shape[-1]))
    for name, x, shape in zip(("scale_a", "scale_b"), scales, wanted, strict=True):
        if x.shape != shape:
            raise ValueError(
                f"{name} has shape {x.shape}; K = {a.shape[-1]} in blocks of "
                f"{engine.scale_block} needs {shape}"
            )


def scale_operands(
    engine: Engine, scale_a: Any, scale_b: Any, a: Host, b: Host
) -> tuple[Operand | None, Operand | None]:
    """The scales of both operands, checked against the shapes."""
    if not engine.scaled:
        return None, None
    first, second = host(scale_a, "scale_a"), host(scale_b, "scale_b")
    check_scales(engine, a, b, (first, second))
    return (
        operand("scale_a", first, first.shape[:-2]),
        operand("scale_b", second, second.shape[:-2]),
    )


def given(work: Any, target: Host, out: Any) -> Any:
    """The results in the target, as the caller's kind of array."""
    if work is not target.view:
        with np.errstate(over="ignore"):
            np.copyto(target.view, _narrowed(work, target.carrier), casting="unsafe")
    if out is not None:
        return out
    return like(target.view, target, target.view) if target.kind != "numpy" else target.view


def _narrowed(work: Any, carrier: Carrier) -> Any:
    if carrier.name == "bfloat16":
        return (work.astype(np.float32, copy=False).view(np.uint32) >> np.uint32(16)).astype(
            np.uint16
        )
    return work
