"""Formats as lane integers: what the core texts read of a format on one carrier, for one rounding
mode."""

from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from numformats.core.decode import DecodeSpec
from numformats.core.grid import CodeSpec, Grid
from numformats.core.lane import ALL, BARE, DEEP, GAPPED, ZERO, ZEROLESS
from numformats.formats import FixedPoint, Float
from numformats.lanes import Carrier, Lane
from numformats.rounding import Mode

NEVER_NORMAL = (
    1 << 20
)  # a biased exponent beyond every carrier: fixed point is "subnormal" throughout


class Lowered(NamedTuple):
    """A grid, and what it needs of the general texts: DEEP (its exponents reach carrier
    subnormals), GAPPED (no subnormals of its own, or none but those of the carrier), BARE (no
    trailing significand bit), ZEROLESS; without bit 0, which is all of them."""

    grid: Grid
    needs: int
    mirrored: bool = False  #: both signs alike, with a -0
    saturating: bool = False  #: beyond the range, Inf included, lies the largest value
    plain_inf: bool = False  #: Inf becomes what a finite value beyond the range becomes

    @property
    def general(self) -> bool:
        """Whether it needs any general text; kernels that serve all formats take all of them."""
        return self.needs > 0


def low_exponent(fmt: FixedPoint | Float) -> int:
    """Exponent of the smallest gap."""
    return -fmt.frac_bits if isinstance(fmt, FixedPoint) else fmt.low_exponent


def precision_bits(fmt: FixedPoint | Float, lane: Lane) -> int:
    """Trailing significand bits that matter on the lane (fixed point: 0, its gap is constant)."""
    return 0 if isinstance(fmt, FixedPoint) else min(fmt.man_bits, lane.sig_bits)


def steps_away_at_top(fmt: FixedPoint | Float, mode: Mode, negative: bool) -> bool:
    """Whether ``mode`` takes a value just below the next step beyond the largest away from zero
    (stochastic: it can)."""
    if mode.stochastic:
        return True
    code = np.array([fmt.max_code & 1], np.uint32)
    away = mode.away(code, np.array([ALL]), np.array([negative]), ZERO, ZERO)
    return bool(away[0])


def _largest(fmt: FixedPoint | Float, carrier: Carrier, value: Fraction) -> int:
    """Magnitude bits of the largest format value <= ``value`` that the carrier holds."""
    drop = low_exponent(fmt)
    if isinstance(fmt, Float) and fmt.emin <= carrier.emax:
        drop = carrier.emax - fmt.man_bits
    drop = max(drop, carrier.emax - carrier.sig_bits)
    top = Fraction(2) ** (carrier.emax + 1) - Fraction(2) ** drop
    return carrier.truncate(min(value, top))


def _overflow(
    fmt: FixedPoint | Float, carrier: Carrier, mode: Mode, negative: bool, limit: int
) -> tuple[int, int]:
    """Magnitudes that replace finite results beyond ``limit``, and Inf."""
    lane = carrier.lane
    if isinstance(fmt, FixedPoint):
        return limit, limit
    if negative and not fmt.signed:
        least = lane.truncate(max(Fraction(fmt.smallest), carrier.tiny)) if not fmt.zero else 0
        other = lane.nan if fmt.overflow in ("infinity", "nan") else least
        return other, other
    inf = lane.inf if fmt.has_inf else limit
    if fmt.overflow == "clamp":
        return limit, limit
    if fmt.overflow == "infinity":
        return (lane.inf if steps_away_at_top(fmt, mode, negative) else limit), lane.inf
    if fmt.overflow == "nan":
        return lane.nan, (lane.inf if fmt.has_inf else lane.nan)
    return limit, inf


@lru_cache(maxsize=4096)
def lower(fmt: FixedPoint | Float, carrier: Carrier, mode: Mode) -> Lowered:
    """``fmt`` on ``carrier`` for rounding ``mode``, as scalars of the lane in a ``Grid``."""
    lane = carrier.lane
    fixed = isinstance(fmt, FixedPoint)
    q, m = low_exponent(fmt), precision_bits(fmt, lane)
    min_exp = NEVER_NORMAL if isinstance(fmt, FixedPoint) else fmt.emin + lane.bias
    needs = _needs(fmt, min_exp, m) if isinstance(fmt, Float) else 0
    low_shift = q + lane.bias + lane.sig_bits
    max_pos = _largest(fmt, carrier, Fraction(fmt.max))
    zeroless = isinstance(fmt, Float) and not fmt.zero
    floor = lane.truncate(max(Fraction(fmt.smallest), carrier.tiny)) if zeroless else 0
    max_neg = _largest(fmt, carrier, -Fraction(fmt.min)) if fmt.signed else 0
    over_pos, inf_pos = _overflow(fmt, carrier, mode, False, max_pos)
    over_neg, inf_neg = _overflow(fmt, carrier, mode, True, max_neg)
    if over_neg == floor:
        max_neg = max(max_neg, floor)  # the same values, in fewer steps
    sign = 1 << (lane.width - 1)
    parity = (1 << lane.width) - (1 << m) if zeroless else 0
    zero = lane.nan if zeroless and fmt.overflow == "nan" else floor
    grid = Grid(
        man_bits=m,
        min_exp=min_exp,
        low_shift=low_shift,
        top_shift=0 if fixed else lane.sig_bits - m,
        parity=parity,
        quantum=lane.truncate(Fraction(2) ** q),
        max_pos=max_pos,
        max_neg=max_neg,
        over_pos=over_pos,
        over_neg=over_neg,
        inf_pos=inf_pos,
        inf_neg=inf_neg,
        zero_mask=sign if fmt.has_negative_zero else 0,
        sign_mask=sign if fmt.signed else 0,
        floor=floor,
        zero=zero,
    )
    mirrored = (max_pos, over_pos, inf_pos) == (max_neg, over_neg, inf_neg)
    plain_inf = (over_pos, over_neg) == (inf_pos, inf_neg) and q <= lane.bias  # Inf rounds to Inf
    saturating = plain_inf and (max_pos, max_neg) == (over_pos, over_neg)
    mirrored = mirrored and fmt.has_negative_zero
    return Lowered(_typed(grid, lane), needs, mirrored, saturating, plain_inf)


def _needs(fmt: Float, min_exp: int, man_bits: int) -> int:
    gap = not fmt.subnormals
    deep = min_exp < 0 or (min_exp == 0 and gap and man_bits > 0)
    gap = gap or (min_exp == 0 and not deep)
    parts = (deep, DEEP), (gap, GAPPED), (man_bits == 0, BARE), (not fmt.zero, ZEROLESS)
    return sum(part & ~1 for wanted, part in parts if wanted)


SIGNED_FIELDS = ("man_bits", "min_exp", "low_shift", "top_shift")


def _typed(grid: Grid, lane: Lane) -> Grid:
    """``grid`` with every field as a scalar of the lane."""
    values = grid._asdict()
    return Grid(
        **{k: (lane.signed if k in SIGNED_FIELDS else lane.unsigned)(v) for k, v in values.items()}
    )


@lru_cache(maxsize=4096)
def code_spec(fmt: FixedPoint | Float, lane: Lane) -> CodeSpec:
    """How ``fmt`` stores its values, as scalars of the lane."""
    word = (1 << fmt.bits) - 1
    if isinstance(fmt, FixedPoint):
        fields = (word, 0, int(fmt.signed), 0, 0, 0, 0)
    else:
        sign = 1 << (fmt.bits - 1) if fmt.signed else 0
        inf = fmt.inf_code if fmt.has_inf else 0
        nan = fmt.nan_code if fmt.has_nan else 0
        rebase = 0 if fmt.zero else 1 << fmt.man_bits
        fields = (word, sign, 0, rebase, inf, nan, sign if fmt.specials in ("ieee", "fn") else 0)
    mask = (1 << lane.width) - 1  # wider codes are never emitted from this lane
    return CodeSpec(*(lane.unsigned(v & mask) for v in fields))


SIGNED_DECODE = ("normal_from", "top_exp", "low_exp")


@lru_cache(maxsize=4096)
def decode_spec(fmt: FixedPoint | Float, lane: Lane) -> DecodeSpec:
    """How codes of ``fmt`` are read, as scalars of the lane."""
    every, sign = (1 << fmt.bits) - 1, 1 << (fmt.bits - 1) if fmt.signed else 0
    if isinstance(fmt, FixedPoint):
        low = -fmt.frac_bits
        fields = (every, sign, int(fmt.signed), lane.width, 1, 0, low, every, 0, every, 0, 0)
    else:
        top = -fmt.exponent_bias - fmt.man_bits
        trailing = (1 << fmt.man_bits) - 1 if fmt.subnormals else 0
        lone = fmt.signed and fmt.specials in ("fnuz", "p3109", "p3109_finite")
        some_nan = fmt.nan_code if fmt.has_nan and not lone else every
        inf = fmt.inf_code if fmt.has_inf else fmt.max_code
        fields = (
            every, sign, 0, fmt.man_bits, int(fmt.zero), top, fmt.low_exponent, trailing,
            int(fmt.has_nan or fmt.has_inf), fmt.max_code, inf, sign if lone else some_nan,
        )  # fmt: skip
    kinds = (lane.signed if name in SIGNED_DECODE else lane.unsigned for name in DecodeSpec._fields)
    return DecodeSpec(*(kind(value) for kind, value in zip(kinds, fields, strict=True)))
