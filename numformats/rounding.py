"""Rounding modes: one branch-free expression each, in a subset of Python that every backend
compiles.

A mode answers "one step away from zero?" and sees five lane words:

* ``kept``: the magnitude that truncation keeps, as an integer whose last bit is the last bit of
  the target's code;
* ``frac``: the discarded part as a binary fraction of full lane width; its last bit is sticky, so
  0 means exact (unless the mode says that it needs less, see :func:`mode`);
* ``neg``: true below zero;
* ``rand``: a uniform random word (0 for deterministic modes);
* ``spare``: lane width minus the number N of random bits that an N-bit form may use (0: use all).

Register your own with :func:`mode`; it then works on every backend. References: IEEE 754-2019
section 4.3, IEEE P3109 interim report v4.0 (RoundToPrecision), OCP MX 1.0.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, overload

from numformats.core.lane import ALL, HALF, LAST, ONE, ZERO, Flag, U, Word, shl, shr

Away = Callable[[Any, Any, Any, Any, Any], Any]


@dataclass(frozen=True, eq=False)  # one object each
class Mode:
    """A registered rounding mode: its name, its expression, and whether it draws random bits."""

    name: str
    away: Away
    stochastic: bool = False
    few_bits: bool = False
    fraction: str = "sticky"


MODES: dict[str, Mode] = {}
FRACTIONS = ("sticky", "truncated", "halves")


@overload
def mode(function: Away) -> Away: ...
@overload
def mode(
    *, stochastic: bool = False, few_bits: bool = False, fraction: str = "sticky"
) -> Callable[[Away], Away]: ...
def mode(
    function: Away | None = None,
    *,
    stochastic: bool = False,
    few_bits: bool = False,
    fraction: str = "sticky",
) -> Away | Callable[[Away], Away]:
    """Register ``function(kept, frac, neg, rand, spare)`` as the rounding mode of its own name.

    Args:
        function: one expression over the names of ``numformats.core.lane``; its source must be
            readable.
        stochastic: the mode reads ``rand``, so callers must give a key.
        few_bits: the mode reads ``spare``, so callers may give ``random_bits``.
        fraction: what the mode needs of ``frac``; less takes fewer operations. ``"sticky"``: a
            last bit that says whether anything lies beyond the lane; ``"truncated"``: only what
            lies within; ``"halves"``: only how it compares with 0 and one half.

    Example:
        >>> @mode
        ... def away_from_zero(kept, frac, neg, rand, spare):
        ...     return frac > ZERO
        >>> import numformats as nf, numpy as np
        >>> nf.quantize(np.float32([1.01]), nf.E4M3, "away_from_zero")
        array([1.125], dtype=float32)
        >>> del MODES["away_from_zero"]
    """
    if fraction not in FRACTIONS:
        raise ValueError(f"fraction={fraction!r}; write one of {', '.join(map(repr, FRACTIONS))}")

    def register(f: Away) -> Away:
        MODES[f.__name__] = Mode(f.__name__, f, stochastic, few_bits, fraction)
        return f

    return register if function is None else register(function)


def roundings() -> dict[str, Mode]:
    """All registered rounding modes by name."""
    return dict(MODES)


def find(name: str, option: str = "rounding") -> Mode:
    """The mode called ``name``; ``ValueError`` with the closest match otherwise, which says what
    the ``option`` is called that held it."""
    if isinstance(name, str) and name in MODES:
        return MODES[name]
    close = difflib.get_close_matches(str(name), MODES, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise ValueError(f"unknown {option} {name!r}; {hint}known: {', '.join(MODES)}")


@mode(fraction="halves")
def nearest_even(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Nearest, ties to the even code (IEEE 754 roundTiesToEven)."""
    return U(frac | U(kept & ONE)) > HALF  # a tie of an odd code becomes more than a tie


@mode(fraction="halves")
def nearest_away(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Nearest, ties away from zero (IEEE 754 roundTiesToAway)."""
    return frac >= HALF


@mode(fraction="halves")
def nearest_up(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Nearest, ties toward +Inf: ``floor(x + 1/2)`` (AP_RND of ap_fixed, qtorch's blocks)."""
    return frac > U(HALF - U(neg == False))  # noqa: E712 - holds for arrays too


@mode(fraction="halves")
def toward_zero(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Truncation (IEEE 754 roundTowardZero)."""
    return frac < ZERO


@mode(fraction="halves")
def toward_positive(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Up (IEEE 754 roundTowardPositive)."""
    return (frac > ZERO) & (neg == False)  # noqa: E712 - holds for arrays too


@mode(fraction="halves")
def toward_negative(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Down (IEEE 754 roundTowardNegative)."""
    return (frac > ZERO) & neg


@mode(fraction="halves")
def to_odd(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Inexact values go to the odd code (P3109 ToOdd; safe before a second rounding)."""
    return (frac > ZERO) & (U(kept & ONE) == ZERO)


@mode(stochastic=True, fraction="truncated")
def stochastic(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """Away with probability ``frac``: unbiased, with all bits of the random word."""
    return (
        rand < frac
    )  # "rand > ALL - frac" becomes an add-with-overflow, which LLVM does not vectorise


@mode(stochastic=True, few_bits=True, fraction="truncated")
def stochastic_a(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """P3109 StochasticA: ``floor(frac * 2^N) + R >= 2^N``."""
    return shr(rand, spare) > U(shr(ALL, spare) - shr(frac, spare))


@mode(stochastic=True, few_bits=True, fraction="truncated")
def stochastic_b(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """P3109 StochasticB: ``floor(frac * 2^(N+1)) + 2R + 1 >= 2^(N+1)``."""
    half = U(shr(shl(frac, ONE), spare) & ONE)
    return U(shr(rand, spare) + half) > U(shr(ALL, spare) - shr(frac, spare))


@mode(stochastic=True, few_bits=True)
def stochastic_c(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """P3109 StochasticC: ``frac * 2^N`` rounded to nearest even, then ``+ R >= 2^N``."""
    coarse = shr(frac, spare)
    rest = shl(shl(frac, U(U(LAST) - spare)), ONE)
    half = U(U(rest | U(coarse & ONE)) > HALF)
    return U(shr(rand, spare) + half) > U(shr(ALL, spare) - coarse)


@mode(stochastic=True, few_bits=True)
def stochastic_odd(kept: Word, frac: Word, neg: Flag, rand: Word, spare: Word) -> Flag:
    """``frac * 2^N`` rounded to nearest odd, then ``+ R >= 2^N`` (gfloat's StochasticOdd)."""
    coarse = shr(frac, spare)
    rest = shl(shl(frac, U(U(LAST) - spare)), ONE)
    half = U(U(rest | U(U(coarse & ONE) ^ ONE)) > HALF)
    return U(shr(rand, spare) + half) > U(shr(ALL, spare) - coarse)
