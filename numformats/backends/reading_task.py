"""What a backend on a device is asked to do before and after a matrix product: read operands into
the layout of its kernels, and give results their dtype. On hosts NumPy does this.
"""

from dataclasses import dataclass
from typing import Any

from numformats.backends.chain_task import Step
from numformats.backends.dot_task import Factor
from numformats.core.operand import SplitSpec
from numformats.lanes import Carrier

ZERO_PLACE, FILLER = -1, -2  #: in ``Layout.places``: nothing lies there


@dataclass(frozen=True)
class Layout:
    """Element (o, p, j) of (outer, stored, inner) in C order lies in memory of any strides at
    ``first + o * line + p * step + j * column``; with tables ``lines[o]`` stands for ``o * line``,
    and ``places[p]`` for p. ``count`` is how many places there are in memory."""

    outer: int
    stored: int
    inner: int
    count: int
    line: int
    step: int
    column: int
    first: int = 0
    lines: Any = None  #: NumPy int64
    places: Any = None  #: NumPy int64

    @property
    def size(self) -> int:
        """Elements of the result."""
        return self.outer * self.stored * self.inner


def flat_layout(n: int) -> Layout:
    """All of ``n`` elements in their order."""
    return Layout(1, n, 1, n, 0, 1, 0)


@dataclass(frozen=True)
class ReadTask:
    """Numbers of ``x`` (stored bits of a carrier) into ``out`` (float32, float64, or int32).

    The carrier is float32 or float64. ``check`` rounds to the format that they have to be values of
    (None: all are), ``nan`` says whether it has NaN. What is smaller than ``low`` becomes a zero,
    of its sign if ``signed_zero``. Results are multiplied by ``2**scale_exp``.
    """

    x: Any
    carrier: Carrier
    out: Any
    layout: Layout
    check: Step | None
    nan: bool
    low: float = 0.0
    signed_zero: bool = False
    scale_exp: int = 0
    found: Any = None  #: where bad values are noted, to be asked for by ``seen``; None: at once


@dataclass(frozen=True)
class FactorTask:
    """As ``SplitTask``, into a layout; ``fill`` is the significand, exponent and kind of
    ``ZERO_PLACE``. Every ``block`` elements of the source share a ``scale``, whose exponents are
    added. ``magnitude``: without signs and kinds but NaN. ``asked``: whether the kinds that there
    are are asked for, which waits for the device."""

    x: Any
    carrier: Carrier
    spec: SplitSpec
    out: Factor
    layout: Layout
    fill: tuple[int, int, int]
    magnitude: bool = False
    scale: Factor | None = None
    block: int = 1
    asked: bool = True
    found: Any = None  #: as in ``ReadTask``


@dataclass(frozen=True)
class IntegersTask:
    """Integers of ``x`` into ``out`` (int32 or int64), which have to lie within ``limits``."""

    x: Any
    out: Any
    layout: Layout
    limits: tuple[int, int]
    asked: bool = True
    found: Any = None  #: as in ``ReadTask``


@dataclass(frozen=True)
class CastTask:
    """Stored bits of ``source`` as those of ``target``, which holds the numbers; ``layout`` is that
    of ``x``, or of ``out`` if ``puts``, and the other one lies in C order."""

    x: Any
    out: Any
    source: Carrier
    target: Carrier
    layout: Layout
    puts: bool = False


@dataclass(frozen=True)
class WrapTask:
    """Flat integers (int32 or int64) into the layout of ``out``, modulo 2 to the number of bits
    less ``spare``, in two's complement."""

    x: Any
    out: Any
    spare: int
    layout: Layout


@dataclass(frozen=True)
class AddTask:
    """``out += x``, flat, rounded by ``step``; NaN is ``nan`` (a float64 pattern)."""

    x: Any
    out: Any
    step: Step
    nan: int
