"""Integer operands on a CUDA device, laid out there by kernels."""

from dataclasses import replace
from typing import Any

import numpy as np

from numformats.backends.reading_task import IntegersTask, Layout
from numformats.device import DeviceArray
from numformats.engines.device_arrays import Given
from numformats.engines.device_checks import seen
from numformats.engines.job import Operand, batch_numbers
from numformats.engines.laying import Layer, on_host
from numformats.engines.layouts import extent_of, grouped_places, layout, spread_layout
from numformats.engines.splitting import Groups
from numformats.lanes import CARRIERS

Range = tuple[int, int]


class IntegerReader(Layer):
    """Reads integers, which have to lie within the ``limits`` of the operands of their name."""

    def __init__(self, module: Any, limits: dict[str, Range]) -> None:
        super().__init__(module)
        self.limits = limits

    def operand(self, x: Given, lead: tuple[int, ...]) -> Operand:
        """``x`` as engines take it; the carrier stands for none."""
        bits = x.matrices(np.dtype(x.library.dtype(x.array)))
        return Operand(
            x.name, bits, CARRIERS["float64"], batch_numbers(x.shape[:-2], lead), x.shape
        )

    def asks(self, x: Operand) -> bool:
        """Whether the integers have to be looked at."""
        (low, high), held = self.limits[x.name], np.iinfo(x.bits.dtype)
        return not x.checked and (held.min < low or held.max > high)

    def read(self, x: Operand, axis: int, groups: Groups | None) -> DeviceArray:
        """The integers of ``x`` as int32, in ``groups`` along ``axis``."""

        def make() -> DeviceArray:
            places = None if groups is None else grouped_places(groups, x.bits.shape[axis])
            g = layout(x.bits, axis, places)
            shape, memory = extent_of(x.bits.shape, axis, g), x.bits.memory
            out = self.rooms.room(x.name, "integers", shape, np.int32, memory)
            self._read(x, g, out)
            return out

        made: DeviceArray = self.rooms.kept(x, "integers", (axis, groups), make)
        return made

    def spread(self, c: Operand, out: DeviceArray) -> None:
        """The integers of c in ``out``, to which it is broadcast."""
        self._read(c, spread_layout(out.shape, c.bits, c.at), out)

    def checked(self, x: Operand) -> Operand:
        """``x``, whose integers lie within the limits.

        Raises:
            ValueError: one that does not.
        """

        def look(piece: Operand, found: Any) -> None:
            memory, shape = piece.bits.memory, piece.bits.shape
            out = self.rooms.room(x.name, "looked at", shape, np.int32, memory)
            self._read(piece, layout(piece.bits, 2), out, found)

        if self.asks(x) and seen(self, x, look):
            self._refuse(x)
        return replace(x, checked=True)

    def _read(self, x: Operand, g: Layout, out: DeviceArray, found: Any = None) -> None:
        memory, limits = x.bits.memory, self.limits[x.name]
        task = IntegersTask(memory, out, g, limits, self.asks(x), found)
        if self.module.read_integers(task):
            self._refuse(x)

    def _refuse(self, x: Operand) -> None:
        host, limits = on_host(x).bits, self.limits[x.name]
        raise ValueError(
            f"{x.name} lies in [{host.min()}, {host.max()}], and the engine takes "
            f"[{limits[0]}, {limits[1]}]; clip it first, or choose a wider engine"
        )
