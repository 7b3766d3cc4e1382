"""Operands on a CUDA device, looked at before anything is written: one wait an operand."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from numformats.backends import select
from numformats.engines.host_reading import HostReader
from numformats.engines.job import Job, Operand, check_values
from numformats.engines.laying import Layer, asks, on_host
from numformats.engines.splitting import Groups
from numformats.engines.stripes import Size, stripes
from numformats.formats import Float
from numformats.small_float import E8M0

PIECE = Size(1 << 24, 1)  # elements looked at in one go


def checked(layer: Layer, job: Job, engine: Any) -> Job:
    """``job``, whose operands and scales hold values that the engine takes.

    Raises:
        ValueError: a value that a format lacks.
    """
    for x, fmt in zip((job.a, job.b), engine.inputs, strict=True):
        if getattr(engine, "truncate_inputs", False):
            check_truncated(layer, x, fmt)
        else:
            check_numbers(layer, x, fmt)
    for scale in (job.scale_a, job.scale_b):
        if scale is not None:
            check_scale(layer, scale, engine.scale)
    names = ("a", "b", "scale_a", "scale_b")
    given = {name: getattr(job, name) for name in names}
    done = {n: None if x is None else replace(x, checked=True) for n, x in given.items()}
    return replace(job, **done)  # type: ignore[arg-type]


def needs_check(job: Job, c: Operand | None, engine: Any) -> bool:
    """Whether operands are looked at."""
    operands = ((job.a, engine.inputs[0]), (job.b, engine.inputs[1]), (c, engine.c_values))
    some = any(x is not None and asks(x, fmt) for x, fmt in operands)
    return some or job.scale_a is not None


def check_numbers(layer: Layer, x: Operand, fmt: Any) -> None:
    """The numbers of ``x`` are values of ``fmt``.

    Raises:
        ValueError: a value that the format lacks.
    """

    def look(piece: Operand, found: Any) -> None:
        layer.numbers(piece, "looked at", fmt, 2, None, np.float32, found=found)

    if asks(x, fmt) and seen(layer, x, look):
        check_values(on_host(x), fmt)


def check_truncated(layer: Layer, x: Operand, fmt: Float) -> None:
    """The leading bits of ``x`` are values of ``fmt``."""

    def look(piece: Operand, found: Any) -> None:
        layer.split(piece, fmt, 0, True, 2, None, (0, 0, 0), found=found)

    if asks(x, fmt) and seen(layer, x, look) & 16:
        HostReader(select("auto")).factors(on_host(x), fmt, 0, True, Groups(1), 2)


def check_scale(layer: Layer, x: Operand, fmt: Float) -> None:
    """The numbers of ``x`` are scales in ``fmt``."""

    def look(piece: Operand, found: Any) -> None:
        layer.split(piece, fmt, 0, False, 2, None, (0, 0, 0), magnitude=True, found=found)

    if not x.checked and seen(layer, x, look) & (28 if fmt == E8M0 else 16):
        HostReader(select("auto")).scales(on_host(x), fmt, 1, x.bits.shape[2], 2)


def seen(layer: Layer, x: Operand, look: Callable[[Operand, Any], None]) -> int:
    """What ``look`` notes of the pieces of ``x``."""
    found = layer.module.zeros((1,), np.dtype(np.uint32), x.bits.memory)
    for piece in pieces(x):
        look(piece, found)
    return int(layer.module.seen(found))


def pieces(x: Operand) -> Iterator[Operand]:
    """``x`` in parts; itself where it is small."""
    found = list(stripes(x.bits.shape, size=PIECE))
    if len(found) == 1:
        yield x
        return
    for part in found:
        yield replace(x, bits=x.bits[part.batches, part.rows])
