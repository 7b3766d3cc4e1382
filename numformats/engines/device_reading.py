"""Operands on a CUDA device, laid out there by kernels. Every check of values waits for the device;
only an operand that fails one is copied to the host, to name the value.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from numformats.backends import select
from numformats.backends.dot_task import NO_TERM, Factor
from numformats.backends.reading_task import ZERO_PLACE, AddTask, CastTask, ReadTask, flat_layout
from numformats.device import DeviceArray
from numformats.engines.device_checks import check_numbers
from numformats.engines.host_reading import HostReader
from numformats.engines.job import Flush, Operand, check_values
from numformats.engines.laying import Layer, asks, on_host
from numformats.engines.layouts import grouped_places, padded_places, spread_layout
from numformats.engines.matrices import contiguous
from numformats.engines.splitting import Groups
from numformats.engines.steps import step_to
from numformats.formats import FixedPoint, Float
from numformats.lanes import CARRIERS, name_of
from numformats.small_float import E8M0
from numformats.tasks import round_in_place


class DeviceReader(Layer):
    """As ``HostReader``, for operands whose ``bits`` are ``Matrices``."""

    def read(
        self,
        x: Operand,
        fmt: FixedPoint | Float,
        dtype: Any,
        *,
        axis: int = 2,
        multiple: int = 1,
        flush: Flush | None = None,
    ) -> Any:
        """The numbers of ``x``, as ``HostReader.read``."""

        def make() -> Any:
            places = padded_places(x.bits.shape[axis], multiple)
            out, bad = self.numbers(x, "read", fmt, axis, places, dtype, flush)
            if bad:
                check_values(on_host(x), fmt)
            return out

        return self.rooms.kept(x, "read", (fmt, dtype, axis, multiple, flush), make)

    def spread(self, x: Operand, fmt: Any, out: DeviceArray) -> None:
        """The numbers of c in ``out``, to which it is broadcast."""
        if not asks(x, fmt):
            g, target = spread_layout(out.shape, x.bits, x.at), CARRIERS[name_of(out.dtype)]
            bits = replace(out, dtype=np.dtype(target.stored))
            self.module.cast(CastTask(x.bits.memory, bits, x.carrier, target, g))
            return
        wide = self.single(x)
        g = spread_layout(out.shape, wide.bits, x.at)
        memory = replace(wide.bits.memory, dtype=np.dtype(wide.carrier.name))
        step = step_to(fmt, "toward_zero")
        if self.module.read(ReadTask(memory, wide.carrier, out, g, step, fmt.has_nan)):
            check_values(on_host(x), fmt)

    def units(self, x: Operand, fmt: Float, axis: int, multiple: int) -> Any:
        """``x`` in units of its format, as int32."""

        def make() -> Any:
            places, power = padded_places(x.bits.shape[axis], multiple), -fmt.low_exponent
            out, bad = self.numbers(x, "units", fmt, axis, places, np.int32, None, power)
            if bad:
                check_values(on_host(x), fmt)
            return out

        return self.rooms.kept(x, "units", (fmt, axis, multiple), make)

    def factors(
        self,
        x: Operand,
        fmt: Float,
        up: int,
        truncate: bool,
        groups: Groups,
        axis: int,
        scale: Operand | None = None,
        block: int = 1,
    ) -> Factor:
        """As ``HostReader.factors``."""

        def make() -> Factor:
            places, fill = grouped_places(groups, x.bits.shape[axis]), (0, NO_TERM, 4)
            powers = None if scale is None else self._powers(scale)
            made, kinds = self.split(
                x, fmt, up, truncate, axis, places, fill, powers, block, asked=asks(x, fmt)
            )  # fmt: skip
            if kinds & 16:
                HostReader(select("auto")).factors(on_host(x), fmt, up, truncate, groups, axis)
            return made

        made: Factor = self.rooms.kept(x, "factors", (fmt, up, truncate, groups, axis, block), make)
        return made

    def _powers(self, scale: Operand) -> Factor:
        """E8M0 scales as factors."""
        made, kinds = self.split(scale, E8M0, 0, False, 2, None, (0, 0, 0), asked=not scale.checked)
        if kinds & 28:
            HostReader(select("auto")).scales(on_host(scale), E8M0, 1, scale.bits.shape[2], 2)
        return made

    def scales(self, x: Operand, fmt: Float, repeats: int, count: int, axis: int) -> Factor:
        """As ``HostReader.scales``."""

        def make() -> Factor:
            places = np.arange(count, dtype=np.int64) // repeats
            places[places >= x.bits.shape[axis]] = ZERO_PLACE
            fill, asked = (1 << fmt.man_bits, 0, 0), not x.checked
            made, kinds = self.split(
                x, fmt, 0, False, axis, places, fill, magnitude=True, asked=asked
            )
            if kinds & (28 if fmt == E8M0 else 16):
                HostReader(select("auto")).scales(on_host(x), fmt, repeats, count, axis)
            return made

        made: Factor = self.rooms.kept(x, "scales", (fmt, repeats, count, axis), make)
        return made

    def taken(self, x: Operand, places: Any, axis: int) -> Operand:
        """As ``HostReader.taken``."""
        inside = np.where(places < x.bits.shape[axis], places, ZERO_PLACE).astype(np.int64)
        out, _ = self.numbers(x, "taken", None, axis, inside, np.float32)
        bits = contiguous(replace(out, dtype=np.dtype(np.uint32)))
        return Operand(x.name, bits, CARRIERS["float32"], x.at, bits.shape, checked=True)

    def check(self, x: Operand, fmt: FixedPoint | Float) -> None:
        """As ``HostReader.check``."""
        check_numbers(self, x, fmt)

    def flush(self, out: Any, flush: Flush) -> None:
        """Flush ``out`` in place."""
        carrier, g = CARRIERS[name_of(out.dtype)], flat_layout(out.size)
        self.module.read(ReadTask(out, carrier, out, g, None, True, flush.low, flush.signed))

    def rounded(self, out: Any, fmt: Any) -> None:
        """Round ``out`` to nearest in place."""
        carrier = CARRIERS[name_of(out.dtype)]
        bits = replace(out, dtype=np.dtype(carrier.stored))
        round_in_place(self.module, bits, carrier, fmt)

    def zeros(self, out: Any) -> Any:
        """Zeros in the shape of ``out``."""
        made = self.rooms.room("out", "zeros", out.shape, out.dtype, out)
        self.module.clear(made)
        return made

    def add(self, out: Any, x: Any, fmt: Float, nan: int) -> None:
        """As ``HostReader.add``."""
        self.module.add(AddTask(x, out, step_to(fmt, "nearest_even"), nan))
