"""Kernels that lay operands out on a CUDA device, one operand at a time."""

from dataclasses import replace
from typing import Any

import numpy as np

from numformats.backends.dot_task import Factor
from numformats.backends.reading_task import CastTask, FactorTask, ReadTask
from numformats.device_libraries import library
from numformats.engines.job import Flush, Operand, all_are_values
from numformats.engines.layouts import extent_of, layout
from numformats.engines.matrices import contiguous
from numformats.engines.rooms import Rooms
from numformats.engines.splitting import kept_bits, needs_wide, split_spec
from numformats.engines.steps import step_to
from numformats.formats import Float
from numformats.lanes import CARRIERS


class Layer:
    """What it lays out lies in its ``Rooms``, until the same is asked for another operand of that
    name. Bad values are noted in ``found``, or else asked for at once, which waits."""

    def __init__(self, module: Any) -> None:
        self.module, self.rooms = module, Rooms(module)

    def numbers(
        self, x: Operand, use: str, fmt: Any, axis: int, places: Any, dtype: Any,
        flush: Flush | None = None, scale_exp: int = 0, found: Any = None,
    ) -> tuple[Any, bool]:  # fmt: skip
        """The numbers of ``x``, and whether some are no values of ``fmt`` (None: no check)."""
        step = step_to(fmt, "toward_zero") if asks(x, fmt) else None
        x = self.single(x)
        g = layout(x.bits, axis, places)
        memory = replace(x.bits.memory, dtype=np.dtype(x.carrier.name))
        out = self.rooms.room(x.name, use, extent_of(x.bits.shape, axis, g), dtype, memory)
        task = ReadTask(
            memory, x.carrier, out, g, step, fmt is not None and fmt.has_nan,
            0.0 if flush is None else flush.low, flush is not None and flush.signed, scale_exp,
            found,
        )  # fmt: skip
        return out, self.module.read(task)

    def single(self, x: Operand) -> Operand:
        """A half-width operand as float32."""
        return self.cast(x, "float32") if x.carrier.stored is np.uint16 else x

    def cast(self, x: Operand, name: str) -> Operand:
        """``x`` in another dtype, in C order."""
        carrier = CARRIERS[name]

        def make() -> Operand:
            like = x.bits.memory
            out = self.rooms.room(x.name, name, x.bits.shape, np.dtype(carrier.stored), like)
            self.module.cast(CastTask(like, out, x.carrier, carrier, layout(x.bits, 2)))
            return replace(x, bits=contiguous(out), carrier=carrier)

        made: Operand = self.rooms.kept(x, name, None, make)
        return made

    def split(
        self, x: Operand, fmt: Float, up: int, truncate: bool, axis: int, places: Any,
        fill: tuple[int, int, int], scale: Factor | None = None, block: int = 1,
        magnitude: bool = False, asked: bool = True, found: Any = None,
    ) -> tuple[Factor, int]:  # fmt: skip
        """``x`` as factors, and the join of their kinds."""
        if needs_wide(fmt, x.carrier):
            x = self.cast(x, "float64")
        spec = split_spec(fmt, x.carrier, up, kept_bits(fmt, x.carrier, truncate))
        g, memory = layout(x.bits, axis, places), x.bits.memory
        shape, kinds = extent_of(x.bits.shape, axis, g), (np.int32, np.int16, np.uint8)
        made = Factor(
            *(self.rooms.room(x.name, np.dtype(k).name, shape, k, memory) for k in kinds)
        )  # fmt: skip
        task = FactorTask(
            memory, x.carrier, spec, made, g, fill, magnitude, scale, block, asked, found
        )  # fmt: skip
        return made, self.module.factors(task)


def asks(x: Operand, fmt: Any) -> bool:
    """Whether the values of ``x`` have to be looked at."""
    return not (x.checked or fmt is None or all_are_values(x.carrier, fmt))


def on_host(x: Operand) -> Operand:
    """A copy of a device operand in host memory."""
    found, given = library(x.bits.memory.owner)
    return replace(x, bits=found.to_host(given).reshape(x.bits.shape))
