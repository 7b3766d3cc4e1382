"""What draws read of a format: ``DrawGrid`` in float64, and ``ShortDraw`` in float32, where format
and variance allow it.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from numformats.core import draw
from numformats.core.draw import DrawGrid
from numformats.core.short_draw import OwnDraws, ShortDraw, with_variance
from numformats.formats import FixedPoint, Float, Format
from numformats.lanes import Carrier
from numformats.lowering import lower
from numformats.rounding import find

SMALLEST_GAP = np.float64(2.0**-1020)  # the reciprocals of gaps are powers of two, too
# Exponents of limits of the short form: of gaps or standard deviations, and of standard deviations
# (in gaps where these are constant).
LEAST, MOST = -40, 60
_ONE = np.float64(1.0)
_ANY_GRID = DrawGrid(np.int64(-1), _ONE, _ONE, _ONE, -_ONE, np.int64(0))
_BIAS = 1023 - 127  # between exponent fields of float64 and of float32


def check_drawable(fmt: Format) -> None:
    """Refuse formats in which no draw keeps its mean."""
    if isinstance(fmt, FixedPoint) and fmt.overflow == "wrap":
        raise ValueError(f"{fmt} wraps around, so no draw keeps its mean; use overflow='saturate'")
    if isinstance(fmt, Float) and not fmt.zero:
        raise ValueError(
            f"{fmt} has no zero and is no format for drawn values; use a signed format"
        )


@lru_cache(maxsize=256)
def draw_grid(fmt: FixedPoint | Float, carrier: Carrier) -> DrawGrid:
    """``fmt`` as the draw sees it, limited to what the carrier holds."""
    grid, lane = lower(fmt, carrier, find("toward_zero")).grid, carrier.lane
    largest, smallest = (
        float(lane.unsigned(bits).view(lane.real)) for bits in (grid.max_pos, grid.max_neg)
    )
    man_bits, least = -1, np.float64(fmt.smallest)
    if isinstance(fmt, Float):
        man_bits, least = fmt.man_bits, np.ldexp(1.0, fmt.emin - fmt.man_bits)
    lowest, least = (max(np.float64(gap), SMALLEST_GAP) for gap in (fmt.smallest, least))
    ends = (np.float64(largest), np.float64(-smallest))
    return DrawGrid(np.int64(man_bits), lowest, least, *ends, np.int64(lowest > least))


@lru_cache(maxsize=256)
def short_draw(g: DrawGrid, variance: Any) -> ShortDraw | None:
    """Draws of float32 means with a common ``variance`` on ``g``, in float32; None where float32
    cannot form what they need: see ``LEAST`` and ``MOST``."""
    if not _serves(g, np.sqrt(np.float64(variance))):
        return None
    return _with_variance(g, variance)


@lru_cache(maxsize=256)
def own_draws(g: DrawGrid) -> OwnDraws:
    """Draws of float32 means with variances of their own: which take the form of ``short_draw``."""
    served = [k for k in range(-63, MOST + 1) if _serves(g, np.ldexp(1.0, k))]
    if not served:
        return OwnDraws(_in_single(_ANY_GRID), *map(np.float32, (-1.0, 1.0, 0.0)))
    ends = (np.float32(np.ldexp(1.0, 2 * k)) for k in (served[0], served[-1]))
    nothing = np.float32(0.0 if _serves(g, np.float64(0.0)) else -1.0)
    return OwnDraws(_in_single(g), nothing, *ends)


@lru_cache(maxsize=256)
def short_draw_in_blocks(g: DrawGrid, variance: Any) -> tuple[ShortDraw, Any, Any] | None:
    """As ``short_draw``, for elements of blocks with scales 2^k, and the least and the largest k
    (int32) of blocks that are drawn in float32; None where no scale allows it."""
    low, high = _exponents(g, np.sqrt(np.float64(variance)))
    ends = (g.lowest, g.largest, g.smallest)
    lost = g.man_bits < 0 and -g.smallest >= 2.0**24 * g.lowest  # a step beyond the range
    if low > high or lost or any(np.float32(end) != end for end in ends):
        return None
    return _with_variance(g, variance), np.int32(low), np.int32(high)


def _with_variance(g: DrawGrid, variance: Any) -> ShortDraw:
    return ShortDraw(*(field[()] for field in with_variance(np.float32(variance), _in_single(g))))


@np.errstate(all="ignore")
def _in_single(g: DrawGrid) -> ShortDraw:
    fixed, far_off = g.man_bits < 0, np.float32(g.lowest * 2.0**64)
    return ShortDraw(
        man_bits=np.int32(g.man_bits),
        bottom=_exponent(draw.field_of(g.least) + np.uint32(max(g.man_bits, 0))),
        around=_exponent(draw.field_of(g.lowest)),
        sparse=np.int32(g.sparse),
        lowest=np.float32(g.lowest),
        largest=np.float32(g.largest),
        smallest=np.float32(g.smallest),
        limit=far_off if fixed else np.finfo(np.float32).max,
        ceiling=far_off if fixed else np.float32(2.0**127),
        variance=np.float32(0.0),
        reach=np.float32(0.0),
        widest=np.int32(-_BIAS),
        least=np.int32(-_BIAS),
    )


def _exponent(field: Any) -> Any:
    return np.int32(int(field) - _BIAS)


def _serves(g: DrawGrid, sigma: Any) -> bool:
    """Whether float32 can draw on ``g`` with this standard deviation."""
    low, high = _exponents(g, sigma)
    return low <= 0 <= high


def _exponents(g: DrawGrid, sigma: Any) -> tuple[int, int]:
    """The least and the largest k for which float32 can draw on ``g`` times 2^k: see ``LEAST``."""
    least, lowest, largest = map(_log2, (g.least, g.lowest, max(g.largest, -g.smallest)))
    known = g.man_bits < 0 or 1 <= g.man_bits <= 23
    if not known or sigma > 2.0**MOST or 0.0 < sigma < 2.0**-63:  # a variance with all its bits
        return 1, 0
    if g.man_bits < 0:
        low = max(LEAST - lowest, _log2(sigma) - MOST - lowest)
        return max(low, -126), min(-LEAST - lowest, 127)
    low = -149 - lowest if sigma >= 2.0**LEAST else LEAST - least
    return max(low, -126), min((MOST if g.man_bits == 1 else 128) - largest, 127)


def _log2(x: Any) -> int:
    """Rounded up; of 0 a large negative number."""
    fraction, exponent = np.frexp(x)
    return int(exponent) - int(fraction == 0.5) if x > 0 else -9999
