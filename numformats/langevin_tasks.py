"""A Langevin step as asked for: checked, lowered, and made a task for given arrays."""

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import compress
from typing import Any

import numpy as np

from numformats.backends.task import STEP_FLAGS, Keys, LangevinTask
from numformats.core.draw import DrawGrid
from numformats.draw_grids import check_drawable, draw_grid, short_draw
from numformats.dtypes import FormatLike
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.lanes import CARRIERS
from numformats.lowering import lower
from numformats.naming import parse
from numformats.random import Key, as_key, folded_words
from numformats.request import NO_WORDS, request
from numformats.rounding import Mode

ACCUMULATORS = ("full", "low", "variance_corrected")
# What a key's last fold is for: no two draws of one step share random bits.
GRADIENT, NOISE, WEIGHT = 0, 1, 2
SINGLE = CARRIERS["float32"]
IDENTITY = Float(8, 23)
NO_DRAW = DrawGrid(np.int64(0), *(np.float64(0),) * 4, np.int64(0))


@dataclass(frozen=True)
class Step:
    """The arguments of ``langevin_step`` besides the arrays."""

    lr: float
    variance: float
    weight_decay: float
    gradient: FixedPoint | Float | None
    weight: FixedPoint | Float | None
    accumulator: str
    mode: Mode
    key: Key

    @property
    def keeps(self) -> bool:
        """Whether the accumulator is kept apart from the rounded weight."""
        return self.accumulator == "full" and self.weight is not None

    @property
    def flags(self) -> tuple[str, ...]:
        """Those of ``task.STEP_FLAGS`` that hold."""
        drawn = self.accumulator == "variance_corrected"
        return _named(
            self.gradient is not None,
            self.weight_decay != 0,
            self.variance != 0 and not drawn,
            self.weight is not None and not drawn,
            self.keeps,
            drawn,
        )

    def keys(self) -> Keys:
        """The words of the keys of all uses; zeros of those that there are not."""
        flags, rounds = self.flags, self.mode.stochastic
        drawn = "DRAWN" in flags
        return Keys(
            words_if(rounds and "GRADIENT" in flags, self.key, GRADIENT),
            words_if("NOISY" in flags, self.key, NOISE),
            words_if(drawn or (rounds and "WEIGHT" in flags), self.key, WEIGHT),
            words_if(drawn, self.key, WEIGHT, 1),
            0,
        )

    def task(self, theta: Any, grad: Any, stored: Any, seen: Any, counts: Any) -> LangevinTask:
        """The task for flat float32 arrays, and the counts of draws."""
        target = self.weight or IDENTITY
        drawn = self.accumulator == "variance_corrected"
        grid = draw_grid(target, SINGLE) if drawn else NO_DRAW
        low, high = ends(target)
        return LangevinTask(
            theta=theta,
            grad=grad,
            stored=stored,
            seen=seen,
            counts=counts,
            lr=np.float32(-self.lr),
            decay=np.float32(self.weight_decay),
            sigma=np.float32(math.sqrt(self.variance)),
            variance=np.float64(self.variance),
            gradient=lower(self.gradient or IDENTITY, SINGLE, self.mode),
            weight=lower(target, SINGLE, self.mode),
            draw=grid,
            short=short_draw(grid, self.variance) if drawn else None,
            low=low,
            high=high,
            mode=self.mode,
            keys=self.keys(),
            flags=self.flags,
        )


@cache
def _named(*holds: bool) -> tuple[str, ...]:
    return tuple(compress(STEP_FLAGS, holds))


def words_if(wanted: bool, key: Key, *folds: int) -> tuple[Any, Any]:
    """The words of ``key`` folded with all of ``folds``; zeros where they are not wanted."""
    return folded_words(key, *folds) if wanted else NO_WORDS


@lru_cache(maxsize=256)
def ends(fmt: FixedPoint | Float) -> tuple[Any, Any]:
    """The range of ``fmt`` in float32."""
    return single(fmt.min), single(fmt.max)


@np.errstate(over="ignore")
def single(value: Any) -> Any:
    """``value`` as a float32; beyond the range, Inf."""
    return np.float32(float(value))


def step(
    lr: float,
    variance: float,
    key: Key | int,
    weight_decay: float,
    gradient: FormatLike | None,
    weight: FormatLike | None,
    accumulator: str,
    rounding: str,
) -> Step:
    """Check the arguments against each other.

    Raises:
        ValueError: see ``langevin_step``.
    """
    if accumulator not in ACCUMULATORS:
        raise ValueError(
            f"accumulator={accumulator!r} is unknown; write one of {', '.join(ACCUMULATORS)}"
        )
    if accumulator != "full" and weight is None:
        raise ValueError(
            f"accumulator={accumulator!r} keeps the weights on a grid, but weight is None; give "
            "weight a format, or write accumulator='full'"
        )
    for name, value in (("lr", lr), ("weight_decay", weight_decay)):
        if not math.isfinite(value):
            raise ValueError(f"{name} is {value}; it must be finite")
    if not (math.isfinite(variance) and variance >= 0):
        raise ValueError(f"variance is {variance}; it must be finite and >= 0")
    of_gradient, of_weight = _plain("gradient", gradient), _plain("weight", weight)
    if accumulator == "variance_corrected" and of_weight is not None:
        check_drawable(of_weight)
    found = as_key(key)
    wanted = request(rounding, found, None, SINGLE.lane)
    if found is None:
        raise ValueError("key is missing; write an int or nf.Key(seed, stream)")
    return Step(lr, variance, weight_decay, of_gradient, of_weight, accumulator, wanted.mode, found)


def one_pass(fmt: Format) -> bool:
    """Whether a format can be rounded to while memory is passed over once."""
    wraps = isinstance(fmt, FixedPoint) and fmt.overflow == "wrap"
    return not (isinstance(fmt, BlockFloat) or wraps)


def _plain(name: str, fmt: FormatLike | None) -> FixedPoint | Float | None:
    if fmt is None:
        return None
    found = parse(fmt)
    if not one_pass(found):
        kind = "block" if isinstance(found, BlockFloat) else "wrapping"
        raise ValueError(
            f"{name}={found} is a {kind} format, which takes more than "
            "one pass; compose quantize, random.normal and variance_corrected"
        )
    assert not isinstance(found, BlockFloat)
    return found


def check_operands(
    dtypes: dict[str, str], theta: tuple[int, ...], other: tuple[int, ...], name: str = "grad"
) -> None:
    """Dtypes by name, and shapes, of what a step works on.

    Raises:
        TypeError: another dtype than float32.
        ValueError: shapes that differ.
    """
    for operand, dtype in dtypes.items():
        if dtype != "float32":
            raise TypeError(
                f"{operand} has dtype {dtype}; a fused step works on float32: convert it, or "
                "compose quantize, random.normal and variance_corrected"
            )
    if theta != other:
        raise ValueError(f"{name} has shape {other}, theta {theta}; they must agree")
