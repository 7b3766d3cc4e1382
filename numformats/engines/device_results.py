"""Results of a product on a CUDA device, in stripes: what they start from, and their way home."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from numformats.backends.reading_task import CastTask
from numformats.device import DeviceArray
from numformats.engines.device_arrays import Given
from numformats.engines.job import Operand
from numformats.engines.laying import Layer
from numformats.engines.layouts import layout
from numformats.engines.matrices import Matrices
from numformats.engines.stripes import Size, Stripe, batches_read, stripes
from numformats.lanes import CARRIERS, Carrier, name_of

SIZE = Size(1 << 24, 32, 1 << 26)  # fills the device; b is laid out once a batch, rows fill tiles

Begin = Callable[[Operand, DeviceArray], None]
End = Callable[[DeviceArray, Matrices], None]


class DeviceResults:
    """As ``stripes.Results``.

    Args:
        layer: whose rooms hold what is not written into the target at once.
        target: (..., M, N), receives the results.
        dtype: of the arrays that products are added to; ``stored``: of the target's elements.
        read: a, b and their scales, which are read while stripes are written.
        c: broadcastable to the target; None is zero. It may be the target itself.
        begin: puts a part of c into an array.
        end: puts results home.
        late: whether what is refused is known only once a single stripe is under way.
    """

    def __init__(
        self, layer: Layer, target: Given, dtype: Any, stored: Any, read: list[Operand],
        c: Operand | None, begin: Begin, end: End, late: bool,
    ) -> None:  # fmt: skip
        self.layer, self.target, self.dtype, self.c = layer, target, np.dtype(dtype), c
        self.begin, self.end, found = begin, end, target.library
        whole, there = target.matrices(stored), found.strides(target.array) is not None
        ats = [x.at for x in (*read[:2], c) if x is not None]
        self.parts = list(stripes(whole.shape, ats, SIZE, read[0].bits.columns))
        others = read if c is None or c.bits.same_places(whole) else [*read, c]
        shared = any(x.bits.overlaps(whole) for x in others)
        self.made = target
        if not there or (shared and len(self.parts) > 1):
            name = found.dtype(target.array)
            self.made = Given(found.empty(target.shape, name, target.array), target.name)
            whole = self.made.matrices(stored)
        same = found.dtype(target.array) == self.dtype.name
        late = len(self.parts) == 1 and (late or shared) and self.made is target
        self.direct = same and found.contiguous(self.made.array) and not late
        self.whole = whole

    def start(self, stripe: Stripe) -> DeviceArray:
        """The array (batches, rows, N) that products are added to, holding c or zero."""
        places = self.whole[stripe]
        if self.direct:
            first = int(places.starts[0]) * self.dtype.itemsize
            memory = replace(places.memory, pointer=places.memory.pointer + first)
            size = int(np.prod(places.shape))
            work = replace(memory, size=size, extent=places.shape, dtype=self.dtype)
        else:
            room = self.layer.rooms.room
            work = room("out", "work", places.shape, self.dtype, places.memory)
        if self.c is None:
            self.layer.module.clear(work)
        else:
            self.begin(part_of(self.c, stripe), work)
        return work

    def put(self, stripe: Stripe, work: DeviceArray, changed: bool = False) -> None:
        """Keep the results of a stripe, which lie elsewhere or have to be ``changed``."""
        if changed or not self.direct:
            self.end(work, self.whole[stripe])

    def done(self) -> None:
        """Bring results home that could not be written while the target was read."""
        if self.made is not self.target:
            self.target.library.assign(self.target.array, self.made.array)


def part_of(c: Operand, stripe: Stripe) -> Operand:
    """What a stripe starts from."""
    used, at = batches_read(c.at, stripe.batches)
    rows = stripe.rows if c.bits.rows > 1 else slice(None)
    return replace(c, bits=c.bits[used, rows], at=at)


def put_floats(module: Any, target: Carrier, work: DeviceArray, places: Matrices) -> None:
    """Numbers in the dtype of the carrier ``target``."""
    source = CARRIERS[name_of(work.dtype)]
    bits = replace(work, dtype=np.dtype(source.stored))
    module.cast(CastTask(bits, places.memory, source, target, layout(places, 2), puts=True))
