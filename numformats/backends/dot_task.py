"""What a backend is asked to do for a matrix product: operands as 3-D arrays, an accumulator that
is updated in place, and a lowered engine. Every host backend serves these tasks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numformats.core.dot import DotSpec
from numformats.core.grid import Grid
from numformats.core.operand import SplitSpec
from numformats.lanes import Carrier
from numformats.rounding import Mode

NO_TERM = -8192  #: exponent of a factor that is zero, below every sum of two others


@dataclass(frozen=True)
class Factor:
    """An operand as the unit sees it, (batch, rows, columns): signed significands (int32),
    exponents (int16) and kinds (uint8, see ``core.operand.operand_kind``)."""

    sig: Any
    exp: Any
    kind: Any


@dataclass(frozen=True)
class SplitTask:
    """Split the flat stored bits ``x`` of a carrier into flat ``sig``, ``exp`` and ``kind``."""

    x: Any
    carrier: Carrier
    spec: SplitSpec
    sig: Any
    exp: Any
    kind: Any


@dataclass(frozen=True)
class DotRule:
    """One way to add up a group: where the search for the largest exponent starts, how the group is
    finished (texts of ``core.dot``), and into how many parts its indices are dealt in turn."""

    first: Callable[..., Any]
    finish: Callable[..., Any]
    parts: int = 1
    product_overflow: bool = False  #: products of 2**128 and more become Inf


@dataclass(frozen=True)
class DotTask:
    """``out`` (batch, M, N), float32 or float64, holds c and receives the results.

    ``a`` is (batches, M, K) and ``b`` (batches, K, N), K a multiple of ``group``, the stored length
    of a group; ``a_at`` and ``b_at`` name the batch that each batch of ``out`` reads.
    """

    a: Factor
    b: Factor
    a_at: Any
    b_at: Any
    out: Any
    rule: DotRule
    spec: DotSpec
    grid: Grid
    mode: Mode
    group: int
    general: bool  #: whether the output grid needs the general text
    wide: bool  #: whether terms need 64 bits
    run: int  #: products whose terms add up without overflow in the lane of the terms
    nan: int  #: float64 pattern of the NaN that the unit returns


@dataclass(frozen=True)
class ScaledDotTask:
    """As ``DotTask``, for groups that are added exactly and scaled: ``a`` and ``b`` are int32 in
    units of their formats, ``a_scale`` (batches, M, groups) and ``b_scale`` (batches, groups, N)
    the scales of groups of ``group``; ``count`` groups are aligned with c at a time. ``spec.align``
    is the left shift of a scaled sum."""

    a: Any
    b: Any
    a_scale: Factor
    b_scale: Factor
    a_at: Any
    b_at: Any
    out: Any
    spec: DotSpec
    grid: Grid
    mode: Mode
    group: int
    count: int
    general: bool
    nan: int

    def nonzero(self) -> tuple[Any, Any]:
        """Bit masks of the operands of every group that are not zero: uint64, in the shapes of the
        scales."""
        weights = np.uint64(1) << np.arange(self.group, dtype=np.uint64)
        a, b = self.a != 0, self.b != 0
        a = a.reshape(*a.shape[:2], -1, self.group) @ weights
        b = np.moveaxis(b.reshape(b.shape[0], -1, self.group, b.shape[2]), 2, 3) @ weights
        return a, np.ascontiguousarray(b)
