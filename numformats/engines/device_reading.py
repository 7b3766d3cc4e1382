"""Operands on a CUDA device, laid out there by kernels. Every check of values waits for the device;
only an operand that fails one is copied to the host, to name the value.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from numformats.backends import select
from numformats.backends.dot_task import NO_TERM, Factor
from numformats.backends.reading_task import (
    ZERO_PLACE,
    AddTask,
    CastTask,
    FactorTask,
    Layout,
    ReadTask,
)
from numformats.device_libraries import library
from numformats.engines.host_reading import HostReader
from numformats.engines.job import Flush, Operand, all_are_values
from numformats.engines.layouts import (
    extent_of,
    grouped_places,
    layout,
    padded_places,
    spread_layout,
)
from numformats.engines.splitting import Groups, kept_bits, needs_wide, split_spec
from numformats.engines.steps import step_to
from numformats.formats import FixedPoint, Float
from numformats.lanes import CARRIERS
from numformats.small_float import E8M0

FLAT = Layout(1, 0, 1, 0, 1)


class DeviceReader:
    """As ``HostReader``, for operands whose ``bits`` are device arrays."""

    def __init__(self, module: Any) -> None:
        self.module = module

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
        g = layout(x.bits.shape, axis, padded_places(x.bits.shape[axis], multiple))
        out, bad = self._made(x, fmt, g, extent_of(x.bits.shape, axis, g), dtype, flush)
        if bad:
            HostReader(None).read(on_host(x), fmt, dtype)
        return out

    def spread(self, x: Operand, fmt: Any, extent: tuple[int, ...], dtype: Any) -> Any:
        """The numbers of c in the shape ``extent``, to which it is broadcast."""
        g = spread_layout(extent, x.bits.shape, x.at)
        out, bad = self._made(x, fmt, g, extent, dtype)
        if bad:
            HostReader(None).read(on_host(x), fmt, dtype)
        return out

    def units(self, x: Operand, fmt: Float, axis: int, multiple: int) -> Any:
        """``x`` in units of its format, as int32."""
        g = layout(x.bits.shape, axis, padded_places(x.bits.shape[axis], multiple))
        out, bad = self._made(
            x, fmt, g, extent_of(x.bits.shape, axis, g), np.int32, None, -fmt.low_exponent
        )
        if bad:
            HostReader(None).units(on_host(x), fmt, axis, 1)
        return out

    def _made(
        self, x: Operand, fmt: Any, g: Layout, extent: tuple[int, ...], dtype: Any,
        flush: Flush | None = None, scale_exp: int = 0,
    ) -> tuple[Any, bool]:  # fmt: skip
        """The numbers of ``x``, and whether some are no values of ``fmt`` (None: no check)."""
        sure = fmt is None or all_are_values(x.carrier, fmt)
        x, out = self._single(x), self.module.empty(extent, np.dtype(dtype), x.bits)
        task = ReadTask(
            replace(x.bits, dtype=np.dtype(x.carrier.name)), x.carrier, out, g,
            None if sure else step_to(fmt, "toward_zero"), fmt is not None and fmt.has_nan,
            0.0 if flush is None else flush.low, flush is not None and flush.signed, scale_exp,
        )  # fmt: skip
        return out, self.module.read(task)

    def _single(self, x: Operand) -> Operand:
        """A half-width operand as float32."""
        return self._cast(x, "float32") if x.carrier.stored is np.uint16 else x

    def _cast(self, x: Operand, name: str) -> Operand:
        carrier = CARRIERS[name]
        out = self.module.empty(x.bits.shape, np.dtype(carrier.stored), x.bits)
        self.module.cast(CastTask(x.bits, out, x.carrier, carrier))
        return replace(x, bits=out, carrier=carrier)

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
        places, fill = grouped_places(groups, x.bits.shape[axis]), (0, NO_TERM, 4)
        powers = None if scale is None else self._powers(scale)
        sure = all_are_values(x.carrier, fmt)
        made, kinds = self._split(
            x, fmt, up, truncate, axis, places, fill, powers, block, asked=not sure
        )  # fmt: skip
        if kinds & 16:
            host = HostReader(select("auto"))
            host.factors(on_host(x), fmt, up, truncate, groups, axis)
        return made

    def _split(
        self, x: Operand, fmt: Float, up: int, truncate: bool, axis: int, places: Any,
        fill: tuple[int, int, int], scale: Factor | None = None, block: int = 1,
        magnitude: bool = False, asked: bool = True,
    ) -> tuple[Factor, int]:  # fmt: skip
        if needs_wide(fmt, x.carrier):
            x = self._cast(self._single(x), "float64")
        spec = split_spec(fmt, x.carrier, up, kept_bits(fmt, x.carrier, truncate))
        g = layout(x.bits.shape, axis, places)
        shape, kinds = extent_of(x.bits.shape, axis, g), (np.int32, np.int16, np.uint8)
        made = Factor(*(self.module.empty(shape, np.dtype(kind), x.bits) for kind in kinds))
        task = FactorTask(
            x.bits, x.carrier, spec, made, g, fill, magnitude, scale, block, asked
        )  # fmt: skip
        return made, self.module.factors(task)

    def _powers(self, scale: Operand) -> Factor:
        """E8M0 scales as factors."""
        made, kinds = self._split(scale, E8M0, 0, False, 2, None, (0, 0, 0))
        if kinds & 28:
            HostReader(select("auto")).scales(on_host(scale), E8M0, 1, scale.bits.shape[2], 2)
        return made

    def scales(self, x: Operand, fmt: Float, repeats: int, count: int, axis: int) -> Factor:
        """As ``HostReader.scales``."""
        places = np.arange(count, dtype=np.int64) // repeats
        places[places >= x.bits.shape[axis]] = ZERO_PLACE
        fill = (1 << fmt.man_bits, 0, 0)
        made, kinds = self._split(x, fmt, 0, False, axis, places, fill, magnitude=True)
        if kinds & (28 if fmt == E8M0 else 16):
            HostReader(select("auto")).scales(on_host(x), fmt, repeats, count, axis)
        return made

    def taken(self, x: Operand, places: Any, axis: int) -> Operand:
        """As ``HostReader.taken``."""
        inside = np.where(places < x.bits.shape[axis], places, ZERO_PLACE).astype(np.int64)
        g = layout(x.bits.shape, axis, inside)
        bits, _ = self._made(x, None, g, extent_of(x.bits.shape, axis, g), np.float32)
        return Operand(
            x.name, replace(bits, dtype=np.uint32), CARRIERS["float32"], x.at, bits.shape
        )

    def flush(self, out: Any, flush: Flush) -> None:
        """Flush ``out`` in place."""
        carrier = CARRIERS[np.dtype(out.dtype).name]
        g = replace(FLAT, stored=out.size, count=out.size)
        self.module.read(ReadTask(out, carrier, out, g, None, True, flush.low, flush.signed))

    def zeros(self, out: Any) -> Any:
        """Zeros in the shape of ``out``."""
        return self.module.zeros(out.shape, out.dtype, out)

    def add(self, out: Any, x: Any, fmt: Float, nan: int) -> None:
        """As ``HostReader.add``."""
        self.module.add(AddTask(x, out, step_to(fmt, "nearest_even"), nan))


def on_host(x: Operand) -> Operand:
    """A copy of a device operand in host memory."""
    found, given = library(x.bits.owner)
    return replace(x, bits=found.to_host(given).reshape(x.bits.shape))
