"""What a backend is asked to do for accumulations that are rounded step by step."""

from dataclasses import dataclass
from typing import Any

from numformats.backends.task import Wrapping
from numformats.formats import FixedPoint, Float
from numformats.lowering import Lowered
from numformats.rounding import Mode


@dataclass(frozen=True)
class Step:
    """Rounding to ``fmt`` on float64: the format lowered, its mode, and its random bits."""

    fmt: FixedPoint | Float
    mode: Mode
    lowered: Lowered
    spare: int
    wrapping: Wrapping | None = None


@dataclass(frozen=True)
class ChainTask:
    """``out`` (batch, M, N), float32 or float64, holds c and receives the results.

    ``a`` (batches, M, K) and ``b`` (batches, K, N) are numbers, ``a_at`` and ``b_at`` name the
    batch that each batch of ``out`` reads. Every ``chunk`` products start from zero and are added
    to c by ``outer`` (``chunk`` 0: the products are added to c itself); ``tree`` adds the products
    of a chunk pairwise, else one after another. Rounding event t draws with ``keys[t]``, for the
    element at its flat index in ``out`` plus ``first``.
    """

    a: Any
    b: Any
    a_at: Any
    b_at: Any
    out: Any
    product: Step | None
    inner: Step
    outer: Step
    chunk: int
    tree: bool
    keys: Any  #: uint32 (events, 2), or (1, 2) where nothing is random
    first: int


@dataclass(frozen=True)
class PlainTask:
    """As ``ChainTask``, for chains with one rule: ``kind`` is ``"fma"`` (float32 or float64),
    ``"exact"`` (exact sums of ``length`` products and c, rounded by ``step``), ``"flushed"``
    (float32 products and sums of ``length``, subnormals flushed; ``lows`` are the smallest normal
    values of a, b and float32), ``"integer"``, or an instruction of ``engines.PairedDot``."""

    kind: str
    a: Any
    b: Any
    a_at: Any
    b_at: Any
    out: Any
    length: int = 1
    step: Step | None = None
    lows: tuple[float, float, float] = (0.0, 0.0, 0.0)
    limits: tuple[int, int] = (0, 0)
