"""A matrix product in stripes: what is held beside operands and result is of a stripe's size."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import prod
from typing import Any, NamedTuple

import numpy as np

from numformats.engines.job import Job, Operand, batch_numbers

RESULTS = 1 << 20  # of a stripe, as far as whole batches or ROWS allow
ROWS = 512  # at least, unless a batch has fewer: b is laid out anew for every stripe


Convert = Callable[[Any], Any]


def same(x: Any) -> Any:
    """``x`` as it is."""
    return x


class Size(NamedTuple):
    """How large a stripe is."""

    results: int  #: as far as whole batches or ``rows`` allow
    rows: int  #: at least, unless a batch has fewer
    elements: int = 1 << 62  #: of an operand that are laid out, as far as these allow


class Stripe(NamedTuple):
    """Whole batches, or rows of one batch."""

    batches: slice
    rows: slice


def stripes(
    shape: tuple[int, int, int], ats: Sequence[Any] = (), size: Size | None = None, k: int = 0
) -> Iterator[Stripe]:
    """The stripes of a result (batches, M, N) of ``k`` products each, in the order of its elements
    in memory. ``ats`` are the batches that operands read."""
    (count, m, n), (results, rows, elements) = shape, size or Size(RESULTS, ROWS)
    if m <= rows or (m * n <= results and m * k <= elements):
        step = min(results // max(m * n, 1), elements // max(m * k, k * n, 1))
        start = 0
        while start < count:
            stop = _stop(ats, start, min(start + max(step, 1), count))
            yield Stripe(slice(start, stop), slice(0, m))
            start = stop
        return
    step = max(rows, min(results // n, elements // max(k, 1)))
    for batch in range(count):
        for row in range(0, m, step):
            yield Stripe(slice(batch, batch + 1), slice(row, min(row + step, m)))


def _stop(ats: Sequence[Any], start: int, stop: int) -> int:
    """Where a stripe of batches ends: before an operand would be read from its last batches and
    again from its first ones, and those between be laid out, too."""
    for _ in ats:  # a shorter stripe may be too long for an operand that was looked at before
        for at in ats:
            while int(np.ptp(at[start:stop])) >= stop - start:
                stop = start + 1 + int(np.flatnonzero(np.diff(at[start:stop]) < 0)[-1])
    return stop


def parts_of(
    job: Job, parts: Sequence[Stripe], shape: tuple[int, int, int]
) -> Iterator[tuple[Stripe, Job]]:
    """``job`` for every stripe; those that read the same of b share the operand, and a single one
    takes it all."""
    before: tuple[Stripe, Job] | None = None
    for stripe in parts:
        part = job if len(parts) == 1 else striped(job, stripe, None, shape)
        at = job.b.at
        if before is not None and np.array_equal(at[before[0].batches], at[stripe.batches]):
            part = replace(part, b=before[1].b, scale_b=before[1].scale_b)
        before = stripe, part
        yield before


def striped(job: Job, stripe: Stripe, work: Any, shape: tuple[int, int, int]) -> Job:
    """``job`` for the results of ``stripe`` alone, which go to ``work``."""
    first = (stripe.batches.start * shape[1] + stripe.rows.start) * shape[2]
    key = None if job.key is None else job.key.at(job.key.start + first)
    a, scale_a = part(job.a, job.scale_a, stripe.batches, stripe.rows)
    b, scale_b = part(job.b, job.scale_b, stripe.batches, slice(None))
    return replace(job, a=a, b=b, out=work, scale_a=scale_a, scale_b=scale_b, key=key)


def part(
    x: Operand, scale: Operand | None, batches: slice, rows: slice
) -> tuple[Operand, Operand | None]:
    """What a stripe reads of an operand and its scales; no copy."""
    used, at = batches_read(x.at, batches)

    def cut(y: Operand) -> Operand:
        first = (used.start * y.bits.shape[1] + (rows.start or 0)) * y.bits.shape[2]
        return replace(y, bits=y.bits[used, rows], at=at, first=first)

    return cut(x), None if scale is None else cut(scale)


def batches_read(at: Any, batches: slice) -> tuple[slice, Any]:
    """Which batches of an operand ``batches`` of the result read, and the numbers among these."""
    some = at[batches]
    low = int(some.min())
    return slice(low, int(some.max()) + 1), some - low


class Results:
    """The results of a product in host memory: what a stripe of them starts from, and its way home.

    Args:
        target: (..., M, N), receives the results.
        dtype: of the arrays that products are added to.
        read: arrays that are read while stripes are written.
        c: broadcastable to the target; None is zero. It may be the target itself.
        widen: turns a part of c into numbers.
        narrow: turns numbers into what the target holds.
    """

    def __init__(
        self, target: Any, dtype: Any, read: list[Any], c: Any = None,
        widen: Convert = same, narrow: Convert = same,
    ) -> None:  # fmt: skip
        self.target, self.dtype, self.c = target, np.dtype(dtype), c
        self.widen, self.narrow = widen, narrow
        self.lead, self.shape = target.shape[:-2], (prod(target.shape[:-2]), *target.shape[-2:])
        self.c_at = batch_numbers(() if c is None else c.shape[:-2], self.lead)
        others = read if c is None or one_array(c, target) else [*read, c]
        shared = any(np.may_share_memory(target, x) for x in others)
        self.made = np.empty_like(target) if shared else target
        own = self.made.dtype == self.dtype and self.made.flags["C_CONTIGUOUS"]
        self.direct = self.made.reshape(self.shape) if own else None
        self.room = np.empty(0, self.dtype)

    def start(self, stripe: Stripe) -> Any:
        """The array (batches, rows, N) that products are added to, holding c or zero."""
        rows, batches = stripe.rows, range(*stripe.batches.indices(self.shape[0]))
        if self.direct is not None:
            work = self.direct[stripe.batches, rows]
        else:
            extent = (len(batches), rows.stop - rows.start, self.shape[2])
            if self.room.size < prod(extent):
                self.room = np.empty(prod(extent), self.dtype)
            work = self.room[: prod(extent)].reshape(extent)
        if self.c is None:
            work[...] = 0
            return work
        each = slice(None) if self.c.shape[-2] == 1 else rows
        for batch, found in zip(batches, work, strict=True):
            at = np.unravel_index(self.c_at[batch], self.c.shape[:-2])
            with np.errstate(invalid="ignore"):  # signalling NaN
                np.copyto(found, self.widen(self.c[(*at, each)]), casting="same_kind")
        return work

    def put(self, stripe: Stripe, work: Any) -> None:
        """Keep the results of a stripe."""
        if self.direct is not None:
            return
        batches = range(*stripe.batches.indices(self.shape[0]))
        for batch, found in zip(batches, work, strict=True):
            at = np.unravel_index(batch, self.lead)
            with np.errstate(over="ignore"):
                self.made[(*at, stripe.rows)] = self.narrow(found)

    def done(self) -> None:
        """Bring results home that could not be written while the target was read."""
        if self.made is not self.target:
            np.copyto(self.target, self.made)


def one_array(x: Any, y: Any) -> bool:
    """Whether every element of two arrays lies in the place of its like."""
    return bool(x.__array_interface__ == y.__array_interface__)
