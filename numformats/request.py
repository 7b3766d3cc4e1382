"""How rounding was asked for: the mode with its random bits, checked before anything is
computed.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from numformats.checks import integer
from numformats.lanes import Lane
from numformats.random import Key
from numformats.rounding import MODES, Mode, find


@dataclass(frozen=True)
class Request:
    """A rounding mode with its key words, the index of the first element, and the random bits left
    unused.
    """

    mode: Mode
    words: tuple[Any, Any]
    first: int
    spare: int


def request(rounding: str, key: Key | None, random_bits: int | None, lane: Lane) -> Request:
    """Check ``rounding``, ``key`` and ``random_bits`` against each other.

    Raises:
        ValueError: unknown mode, a stochastic mode without key, ``random_bits`` for a mode that
            has none.
    """
    mode = find(rounding)
    if mode.stochastic and key is None:
        raise ValueError(
            f"rounding={rounding!r} draws random bits and key is missing; write key=0 or "
            f"nf.Key(seed, stream)"
        )
    spare = 0
    if random_bits is not None:
        if not mode.few_bits:
            able = ", ".join(name for name, known in MODES.items() if known.few_bits)
            raise ValueError(
                f"random_bits={random_bits} with rounding={rounding!r}; write one of the N-bit "
                f"modes ({able}), or leave random_bits out"
            )
        integer("random_bits", random_bits, 1, lane.width)
        spare = lane.width - random_bits
    if key is None:
        return Request(mode, (np.uint32(0), np.uint32(0)), 0, spare)
    return Request(mode, key.words, key.start, spare)
