"""Operands in host memory, laid out by NumPy for the backends of hosts."""

from dataclasses import replace
from typing import Any

import numpy as np

from numformats.backends.dot_task import Factor
from numformats.core.chain import flushed, flushed_input
from numformats.engines.job import Flush, Operand, check_values, numbers, refuse, values
from numformats.engines.splitting import Groups, grouped, split
from numformats.formats import FixedPoint, Float
from numformats.lanes import CARRIERS
from numformats.small_float import E8M0
from numformats.tasks import round_in_place


class HostReader:
    """How engines read operands, for the backend ``module``."""

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
        """The numbers of ``x``, checked to be values of ``fmt``, with zeros up to a ``multiple``
        along ``axis``.

        Raises:
            ValueError: a value that the format lacks.
        """
        found = numbers(x, fmt, dtype)
        if flush is not None:
            found = np.asarray(flush_of(found, flush), dtype)
        return found if multiple == 1 else _padded(found, axis, multiple)

    def check(self, x: Operand, fmt: FixedPoint | Float) -> None:
        """The numbers of ``x`` are values of ``fmt``.

        Raises:
            ValueError: a value that the format lacks.
        """
        check_values(x, fmt)

    def units(self, x: Operand, fmt: Float, axis: int, multiple: int) -> Any:
        """``x`` in units of its format, as int32."""
        units = np.ldexp(numbers(x, fmt, np.float64), -fmt.low_exponent).astype(np.int32)
        return _padded(units, axis, multiple)

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
        """``x`` split and laid out in groups, the exponents of its E8M0 scales added.

        Raises:
            ValueError: a value that the format lacks.
        """
        found = split(self.module, x, fmt, up, truncate)
        if scale is not None:
            found = self._with_scale(found, scale, block, axis)
        return grouped(found, groups, axis)

    def _with_scale(self, x: Factor, scale: Operand, block: int, axis: int) -> Factor:
        """``x`` with the exponents of its scales added; a NaN scale makes its block NaN."""
        found = split(self.module, scale, E8M0, 0, False)
        if (found.kind & 12).any():
            refuse(scale, found.kind & 12, E8M0)
        places = np.arange(x.exp.shape[axis]) // block
        exp = np.take(found.exp, places, axis)
        kind = np.take(found.kind, places, axis) & np.uint8(1)
        return Factor(x.sig, (x.exp + exp).astype(np.int16), x.kind | kind)

    def scales(self, x: Operand, fmt: Float, repeats: int, count: int, axis: int) -> Factor:
        """Every scale ``repeats`` times, without its sign; up to ``count``, ones."""
        found = split(self.module, x, fmt, 0, False)
        if fmt == E8M0 and (found.kind & 12).any():
            refuse(x, found.kind & 12, E8M0)
        fills, parts = (1 << fmt.man_bits, 0, 0), []
        for field, fill in zip((np.abs(found.sig), found.exp, found.kind & 1), fills, strict=True):
            places = np.arange(min(count, field.shape[axis] * repeats)) // repeats
            cut = np.take(field, places, axis)
            pad = [(0, 0)] * 3
            pad[axis] = (0, count - cut.shape[axis])
            parts.append(np.ascontiguousarray(np.pad(cut, pad, constant_values=fill)))
        return Factor(*parts)

    def taken(self, x: Operand, places: Any, axis: int) -> Operand:
        """``x`` at ``places`` along ``axis``, as float32; a zero beyond its end."""
        count = x.bits.shape[axis]
        some = replace(x, bits=np.take(x.bits, np.minimum(places, count - 1), axis))
        with np.errstate(invalid="ignore"):
            bits = np.ascontiguousarray(values(some), np.float32)
        bits[(slice(None),) * axis + (places == count,)] = 0
        return Operand(x.name, bits, CARRIERS["float32"], x.at, bits.shape)

    def flush(self, out: Any, flush: Flush) -> None:
        """Flush ``out`` in place."""
        out[...] = flush_of(out, flush)

    def rounded(self, out: Any, fmt: Any) -> None:
        """Round ``out`` to nearest in place."""
        carrier = CARRIERS[out.dtype.name]
        round_in_place(self.module, out.reshape(-1).view(carrier.stored), carrier, fmt)

    def zeros(self, out: Any) -> Any:
        """Zeros in the shape of ``out``."""
        return np.zeros_like(out)

    def add(self, out: Any, x: Any, fmt: Float, nan: int) -> None:
        """``out += x``, rounded to ``fmt`` (FP16 or FP32); NaN becomes the float64 pattern ``nan``.
        ``x`` is overwritten."""
        with np.errstate(all="ignore"):
            np.add(out, x, out=x)
            out[...] = x.astype(np.float16 if fmt.man_bits == 10 else np.float32, copy=False)
        np.copyto(out, np.array([nan], np.uint64).view(np.float64).astype(out.dtype),
                  where=np.isnan(out))  # fmt: skip


@np.errstate(invalid="ignore")  # NaN and Inf times zero, in lanes that are not taken
def flush_of(x: Any, flush: Flush) -> Any:
    """``x`` flushed."""
    return (flushed if flush.signed else flushed_input)(x, x.dtype.type(flush.low))


def _padded(x: Any, axis: int, multiple: int) -> Any:
    pad = [(0, 0)] * 3
    pad[axis] = (0, -x.shape[axis] % multiple)
    return np.ascontiguousarray(np.pad(x, pad))
