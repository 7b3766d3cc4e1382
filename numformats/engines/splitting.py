"""Operands of fused dot products: split once into significands and exponents, laid out in groups
of the unit's length."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from numformats.backends.dot_task import NO_TERM, Factor, SplitTask
from numformats.core.operand import SplitSpec
from numformats.engines.job import PIECE, Operand, refuse, values
from numformats.formats import Float
from numformats.lanes import CARRIERS, Carrier
from numformats.lowering import lower
from numformats.rounding import find


@dataclass(frozen=True)
class Groups:
    """How indices are stored: groups of ``length``, dealt in turn into ``parts``, each padded to a
    multiple of four."""

    length: int
    parts: int = 1

    @property
    def part(self) -> int:
        """Stored length of a part."""
        return -(-self.length // (4 * self.parts)) * 4

    @property
    def stored(self) -> int:
        """Stored length of a group."""
        return self.part * self.parts

    def places(self, count: int) -> Any:
        """Where each of ``count`` indices is stored."""
        k = np.arange(count)
        q, r = k // self.length, k % self.length
        return q * self.stored + r % self.parts * self.part + r // self.parts


@lru_cache(maxsize=1024)
def split_spec(fmt: Float, carrier: Carrier, up: int, keep_bits: int) -> SplitSpec:
    """``fmt`` on ``carrier``, as lane scalars; ``keep_bits`` of the significand are read."""
    lane = carrier.lane
    mask = (1 << lane.width) - (1 << max(lane.sig_bits - keep_bits, 0))
    return SplitSpec(
        man_bits=lane.signed(fmt.man_bits),
        min_exp=lane.signed(fmt.emin + lane.bias),
        largest=lower(fmt, carrier, find("toward_zero")).grid.max_pos,
        keep=lane.unsigned(mask),
        up=lane.unsigned(up),
        inf=lane.unsigned(fmt.has_inf),
        nan=lane.unsigned(fmt.has_nan),
    )


def needs_wide(fmt: Float, carrier: Carrier) -> bool:
    """Whether the lane of ``carrier`` is too narrow to show the format's own exponents."""
    return fmt.man_bits > carrier.lane.sig_bits or fmt.emin + carrier.lane.bias < 1


def split(module: Any, x: Operand, fmt: Float, up: int, truncate: bool) -> Factor:
    """``x`` as significands times ``2**up``, exponents and kinds, in the shape of ``x.bits``.

    ``truncate``: the unit reads only the format's leading bits of wider numbers (TF32).

    Raises:
        ValueError: a value that the format lacks.
    """
    bits, carrier = x.bits, x.carrier
    if needs_wide(fmt, carrier):
        bits, carrier = values(x).astype(np.float64), CARRIERS["float64"]
    keep = kept_bits(fmt, carrier, truncate)
    sig, exp = np.empty(bits.shape, np.int32), np.empty(bits.shape, np.int16)
    kind = np.empty(bits.shape, np.uint8)
    flat = bits.reshape(-1).view(carrier.stored)
    spec = split_spec(fmt, carrier, up, keep)
    task = SplitTask(flat, carrier, spec, sig.reshape(-1), exp.reshape(-1), kind.reshape(-1))
    if module.split(task) & 16:
        refuse(x, kind & 16, fmt)
    return Factor(sig, exp, kind)


def check_truncated(module: Any, x: Operand, fmt: Float) -> None:
    """The leading bits of ``x`` are values of ``fmt``; looked at in pieces, so that little is held.

    Raises:
        ValueError: a value that the format lacks.
    """
    flat = x.bits.reshape(1, 1, -1)
    for start in range(0, x.bits.size, PIECE):
        piece = flat[..., start : start + PIECE]
        split(module, replace(x, bits=piece, first=x.first + start), fmt, 0, True)


def kept_bits(fmt: Float, carrier: Carrier, truncate: bool) -> int:
    """Significand bits that the unit reads."""
    return int(fmt.man_bits) if truncate else carrier.lane.sig_bits


def grouped(x: Factor, groups: Groups, axis: int) -> Factor:
    """``x`` with ``axis`` laid out in groups; the last group is filled with zeros."""
    count = x.sig.shape[axis]
    whole = -(-count // groups.length)
    if groups.stored == groups.length and groups.parts == 1 and count % groups.length == 0:
        return x
    places = groups.places(whole * groups.length)
    shape = list(x.sig.shape)
    shape[axis] = whole * groups.stored
    every, used = [slice(None)] * 3, [slice(None)] * 3
    every[axis], used[axis] = places, places[:count]
    sig, kind = np.zeros(shape, np.int32), np.zeros(shape, np.uint8)
    exp = np.full(shape, NO_TERM, np.int16)
    kind[tuple(every)] = 4  # zero
    sig[tuple(used)], exp[tuple(used)], kind[tuple(used)] = x.sig, x.exp, x.kind
    return Factor(sig, exp, kind)
