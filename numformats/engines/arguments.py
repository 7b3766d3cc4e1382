"""Checks of the arguments of ``matmul``: kinds of arrays, keys, scales."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from numformats.arrays import Host, host
from numformats.engines.engine import Engine
from numformats.engines.job import Job, Operand, check_values, operand
from numformats.engines.splitting import check_truncated
from numformats.random import Key, as_key


def check_kinds(sources: Mapping[str, Host | None]) -> None:
    """All operands are of one kind (None: NumPy's).

    Raises:
        TypeError: NumPy arrays beside tensors.
    """
    kinds = {name: source.kind if source else "numpy" for name, source in sources.items()}
    if len(set(kinds.values())) > 1:
        found = ", ".join(f"{name} is a {kind} array" for name, kind in kinds.items())
        raise TypeError(f"{found}; give all of one kind (torch.from_numpy, tensor.numpy())")


def host_operands(a: Any, b: Any, c: Any) -> dict[str, Host]:
    """Operands in host memory by name, of one kind; c where there is one.

    Raises:
        TypeError: NumPy arrays beside tensors, or no float arrays.
    """
    given = {"a": a, "b": b, "c": c}
    found = {name: host(x, name) for name, x in given.items() if x is not None}
    check_kinds(found)
    return found


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


def check_numbers(engine: Any, job: Job) -> None:
    """Operands and scales hold values of their formats, looked at before anything is written.

    Raises:
        ValueError: a value that a format lacks.
    """
    truncates = getattr(engine, "truncate_inputs", False)
    check = partial(check_truncated, job.backend) if truncates else check_values
    for x, fmt in zip((job.a, job.b), engine.inputs, strict=True):
        check(x, fmt)
    for scale in (job.scale_a, job.scale_b):
        if scale is not None:
            check_values(scale, engine.scale)
