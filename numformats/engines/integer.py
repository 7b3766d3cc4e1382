"""Integer dot products: exact products into an accumulator that wraps or saturates."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from numformats.arrays import as_kind, plain
from numformats.backends import select
from numformats.backends.chain_task import PlainTask
from numformats.checks import choice, flag, integer
from numformats.device import on_device
from numformats.engines import device_integer
from numformats.engines.arguments import check_kinds
from numformats.engines.engine import Engine
from numformats.engines.job import batch_numbers, batches
from numformats.engines.splitting import Groups
from numformats.engines.stripes import Results, batches_read, stripes
from numformats.formats import FixedPoint
from numformats.outputs import check_places

Range = tuple[int, int]


@dataclass(frozen=True)
class IntegerDot(Engine):
    """Integer matrix units: ``d = c + sum_k a_k b_k`` in an accumulator of ``accumulator_bits``.

    Args:
        a_bits: width of the elements of a, 1 to 16; b_bits: of b.
        a_signed: two's complement if true; b_signed: likewise.
        accumulator_bits: width of the (two's complement) accumulator, 2 to 64.
        overflow: ``"wrap"`` modulo its width, or ``"saturate"`` (at most 40 bits).
        length: products that are added exactly before the accumulator saturates; wrapping units
            give the same for every length.

    Operands, c and results are integer arrays; results are int32, or int64 for accumulators of more
    than 32 bits. Promise: exact, so bit-identical across backends.

    Raises:
        TypeError, ValueError: impossible widths, unknown names.

    Example:
        >>> engine = IntegerDot(8, 8)

    Reference: PTX ISA, mma with .s32 accumulators (.satfinite saturates), and any int8 unit.
    """

    a_bits: int = 8
    b_bits: int = 8
    a_signed: bool = field(default=True, kw_only=True)
    b_signed: bool = field(default=True, kw_only=True)
    accumulator_bits: int = field(default=32, kw_only=True)
    overflow: str = field(default="wrap", kw_only=True)
    length: int = field(default=4, kw_only=True)

    def __post_init__(self) -> None:
        integer("a_bits", self.a_bits, 1, 16)
        integer("b_bits", self.b_bits, 1, 16)
        flag("a_signed", self.a_signed)
        flag("b_signed", self.b_signed)
        choice("overflow", self.overflow, ("wrap", "saturate"))
        integer("accumulator_bits", self.accumulator_bits, 2, 64 if self.overflow == "wrap" else 40)
        integer("length", self.length, 1, 1024)

    @property
    def inputs(self) -> tuple[FixedPoint, FixedPoint]:
        """The integers of a and b."""
        return (
            FixedPoint(self.a_bits, 0, signed=self.a_signed),
            FixedPoint(self.b_bits, 0, signed=self.b_signed),
        )

    @property
    def results(self) -> FixedPoint:
        """The integers of the accumulator, as far as a fixed point of 32 bits shows them."""
        return FixedPoint(min(self.accumulator_bits, 32), 0, overflow=self.overflow)

    @property
    def limits(self) -> Range:
        """Smallest and largest integer of the accumulator."""
        return signed_range(self.accumulator_bits, True)

    @property
    def ranges(self) -> tuple[Range, Range]:
        """``limits`` of the elements of a, and of b."""
        return signed_range(self.a_bits, self.a_signed), signed_range(self.b_bits, self.b_signed)

    @property
    def dtype(self) -> Any:
        """The dtype of results."""
        return np.dtype(np.int32 if self.accumulator_bits <= 32 else np.int64)

    def multiply(self, a: Any, b: Any, c: Any, backend: str, out: Any) -> Any:
        """``nf.matmul`` for this engine."""
        if on_device(a):
            return device_integer.multiply(self, a, b, c, backend, out)
        limits, given = (*self.ranges, self.limits), {"a": a, "b": b, "c": c}
        read = {
            name: integers(name, x, most)
            for (name, x), most in zip(given.items(), limits, strict=True)
            if x is not None
        }
        kinds = {name: source for name, (_, source) in read.items()}
        check_kinds(kinds if out is None else kinds | {"out": plain(out, "out")[1]})
        (a_view, source), (b_view, _) = read["a"], read["b"]
        c_view, _ = read.get("c", (None, None))
        lead = batches(a_view, b_view, c_view)
        shape = (*lead, a_view.shape[-2], b_view.shape[-1])
        target, module = self._target(out, shape), select(backend)
        self._add(a_view, b_view, c_view, lead, target, module)
        if out is not None:
            return out
        return target if source is None else as_kind(source, target)

    def _target(self, out: Any, shape: tuple[int, ...]) -> Any:
        if out is None:
            return np.empty(shape, self.dtype)
        view, _ = plain(out, "out")
        if view.shape != shape or view.dtype != self.dtype:
            raise ValueError(
                f"out has shape {view.shape}, dtype {view.dtype}; the result has shape {shape}: "
                f"write out=numpy.empty({shape}, numpy.{self.dtype})"
            )
        check_places(view)
        return view

    def _add(self, a: Any, b: Any, c: Any, lead: tuple[int, ...], target: Any, module: Any) -> None:
        """Every stripe of the results, from c to the target."""
        clamps = self.overflow == "saturate"
        groups, limits = Groups(self.length if clamps else 4), self.limits if clamps else (0, 0)
        left, a_at = _stored(a, lead, groups, 2, np.int32)
        right, b_at = _stored(b, lead, groups, 1, np.int16 if b.dtype.itemsize == 1 else np.int32)
        results = Results(target, np.int64 if clamps else self.dtype, [a, b], c)
        for stripe in stripes(results.shape):
            work = results.start(stripe)
            if work.size and left.shape[2]:
                (some_a, at), (some_b, b_some) = (
                    batches_read(x, stripe.batches) for x in (a_at, b_at)
                )
                module.plain(PlainTask(
                    "integer", left[some_a, stripe.rows], right[some_b], at, b_some, work,
                    groups.stored, limits=limits,
                ))  # fmt: skip
            if not clamps:
                wrap(work, self.accumulator_bits)
            results.put(stripe, work)
        results.done()


def signed_range(bits: int, signed: bool) -> Range:
    """Smallest and largest integer of a width."""
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)


def wrap(total: Any, bits: int) -> None:
    """Reduce integers modulo ``2**bits``, in two's complement, in place."""
    spare = total.dtype.type(8 * total.dtype.itemsize - bits)
    if spare:
        total <<= spare
        total >>= spare


def integers(name: str, x: Any, limits: Range) -> tuple[Any, Any]:
    """``x`` as a NumPy integer array within ``limits``, and how to give results back.

    Raises:
        TypeError: another dtype.
        ValueError: an integer out of range.
    """
    view, source = plain(x, name)
    if view.dtype.kind not in "iu":
        raise TypeError(
            f"{name} has dtype {view.dtype}; integer engines take integer arrays: write "
            f"{name}.astype(numpy.int8), or numpy.int32"
        )
    low, high = limits
    if view.size and (int(view.min()) < low or int(view.max()) > high):
        raise ValueError(
            f"{name} lies in [{view.min()}, {view.max()}], and the engine takes [{low}, {high}]; "
            "clip it first, or choose a wider engine"
        )
    return view, source


def _stored(
    x: Any, lead: tuple[int, ...], groups: Groups, axis: int, dtype: Any
) -> tuple[Any, Any]:
    """``x`` in three dimensions with K in groups of a multiple of four, and its batch numbers."""
    count = int(np.prod(x.shape[:-2]))
    flat = x.reshape(count, *x.shape[-2:])
    shape = list(flat.shape)
    whole = -(-shape[axis] // groups.length)
    places = groups.places(shape[axis])
    shape[axis] = whole * groups.stored
    out = np.zeros(shape, dtype)
    index = (slice(None),) * axis + (places,)
    out[index] = flat
    return out, batch_numbers(x.shape[:-2], lead)
