"""The core texts as NumPy functions, and their random words: what the reference backend runs."""

from collections.abc import Iterable
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np

from numformats.backends.emit import (
    CORE,
    LOADS,
    SCALE,
    STORES,
    constants,
    mode_parts,
    module_text,
)
from numformats.core.scale import block_bits
from numformats.core.threefry import threefry
from numformats.lanes import Carrier, Lane
from numformats.rounding import Mode

_PRELUDE = """\
import numpy as np
from numformats.core.decode import DecodeSpec
from numformats.core.grid import CodeSpec, Grid
from numformats.core.scale import ScaleSpec
from numformats.core.scaled import LevelSpec

{constants}CARRIER_MAX = U({largest})
where, mostly, minimum, maximum = np.where, np.where, np.minimum, np.maximum

def shl(x, s):
    return where(U(s) > U(LAST), ZERO, U(x << U(U(s) & U(LAST))))

def shr(x, s):
    return where(U(s) > U(LAST), ZERO, U(x >> U(U(s) & U(LAST))))

def bit_length(x):
    return I(np.frexp(np.float64(x))[1])

def real_to_bits(x):
    return np.asarray(x, np.float64).view(np.uint64)

def bits_to_real(x):
    return np.asarray(x, np.uint64).view(np.float64)

def float_to_bits(x):
    return np.asarray(x, np.float32).view(np.uint32)

def bits_to_float(x):
    return np.asarray(x, np.uint32).view(np.float32)

def whole_to_bits(n):
    return np.asarray(n).astype(F{width}).view(U)

def single(x):
    return np.asarray(x, np.float64).astype(np.float32).astype(np.float64)
"""


def core_texts(mode: Mode, carrier: Carrier, more: Iterable[Any]) -> SimpleNamespace:
    """The core texts, and ``more`` of them, as NumPy functions for one mode and carrier."""
    prelude = _PRELUDE.format(
        constants=constants(carrier.lane), largest=carrier.largest, width=carrier.lane.width
    )
    rules = [(*part, "") for part in mode_parts(mode)]
    parts = [(f, None, "") for f in (*CORE, *SCALE)]
    source = module_text(prelude, [*parts, *rules, *((f, None, "") for f in more)])
    names: dict[str, Any] = {}
    exec(compile(source, "<core texts>", "exec"), names)
    return SimpleNamespace(**names)


@cache
def texts(mode: Mode, carrier: Carrier) -> SimpleNamespace:
    """The texts of rounding on stored bits of ``carrier``."""
    load, store = LOADS[carrier.name], STORES[carrier.name]
    found = core_texts(mode, carrier, dict.fromkeys((block_bits, load, store)))
    found.load, found.store = getattr(found, load.__name__), getattr(found, store.__name__)
    return found


def random_words(words: tuple[Any, Any], first: int, n: int, lane: Lane) -> Any:
    """Words of elements ``first`` .. ``first + n``."""
    k0, k1 = (np.array([w]) for w in words)
    if lane.width == 64:
        a, b = _threefry(k0, k1, np.arange(n, dtype=np.uint64) + np.uint64(first))
        return a.astype(np.uint64) << np.uint64(32) | b
    pairs = np.arange((n + (first & 1) + 1) >> 1, dtype=np.uint64) + np.uint64(first >> 1)
    both = np.stack(_threefry(k0, k1, pairs), axis=1).reshape(-1)
    return both[first & 1 : (first & 1) + n]


def _threefry(k0: Any, k1: Any, counter: Any) -> tuple[Any, Any]:
    low, high = counter.astype(np.uint32), (counter >> np.uint64(32)).astype(np.uint32)
    return threefry(k0, k1, low, high)
