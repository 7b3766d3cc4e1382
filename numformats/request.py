"""How rounding was asked for: the mode with its random bits, checked before anything is
computed.
"""

import math
from typing import Any, NamedTuple

import numpy as np

from numformats.checks import integer
from numformats.formats import BlockFloat, Format
from numformats.lanes import Lane
from numformats.random import Key
from numformats.rounding import MODES, Mode, find

NO_WORDS = (np.uint32(0), np.uint32(0))


class Request(NamedTuple):
    """A rounding mode with its key words, the index of the first element, and the random bits left
    unused; the scale of the whole array, where it is given (0: found).
    """

    mode: Mode
    words: tuple[Any, Any]
    first: int
    spare: int
    tensor_scale: float = 0.0


def request(
    rounding: str,
    key: Key | None,
    random_bits: int | None,
    lane: Lane,
    tensor_scale: float = 0.0,
) -> Request:
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
        random_bits = int(random_bits) if isinstance(random_bits, np.integer) else random_bits
        integer("random_bits", random_bits, 1, lane.width)
        spare = lane.width - random_bits
    if key is None:
        return Request(mode, NO_WORDS, 0, spare, tensor_scale)
    return Request(mode, key.words, key.start, spare, tensor_scale)


def given_scale(fmt: Format, tensor_scale: Any) -> float:
    """``tensor_scale`` in float32, 0 for None.

    Raises:
        TypeError: no number. ValueError: not positive, or ``fmt`` has no scale of the whole array.
    """
    if tensor_scale is None:
        return 0.0
    if not (isinstance(fmt, BlockFloat) and fmt.tensor_scale):
        raise ValueError(
            f"tensor_scale={tensor_scale!r}: {fmt} has no scale of the whole array; leave it out, "
            "or write a two-level format, such as 'nvfp4'"
        )
    try:
        with np.errstate(over="ignore"):
            found = float(np.float32(float(tensor_scale)))
    except (TypeError, ValueError):
        raise TypeError(
            f"tensor_scale={tensor_scale!r} is no number; write one, such as 0.01"
        ) from None
    if not 0.0 < found < math.inf:
        raise ValueError(
            f"tensor_scale={tensor_scale!r} is {found!r} in float32; write a positive number, such "
            "as amax / 2688 for 'nvfp4'"
        )
    return found
