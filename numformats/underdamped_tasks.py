"""A step of underdamped Langevin dynamics as asked for: checked, lowered, and made a task."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from numformats.backends.underdamped_task import SIDES, UnderdampedTask
from numformats.core import underdamped as texts
from numformats.core.underdamped import StepScalars
from numformats.draw_grids import draw_grid, own_draws, short_draw
from numformats.formats import FixedPoint, Float, Format
from numformats.langevin_tasks import IDENTITY, NO_DRAW, SINGLE, Step, ends, words_if
from numformats.lowering import lower
from numformats.rounding import find

# What a key's last fold is for, after GRADIENT, NOISE and WEIGHT of ``langevin_tasks``.
VELOCITY_NOISE, VELOCITY = 3, 4
REACH = 6.34  #: no normal of ``numformats.random`` is larger
LEAST_SCALE = 2.0**-100
LEAST_VARIANCE = 2.0**-126  #: of a position that tells of its velocity: float32 divides by it


class UnderdampedMoments(NamedTuple):
    """Means and noise of one step of dv = -γv dt - u·g dt + √(2γu) dB, dx = v dt.

    v' = decay·v - kick_v·g + ξv and x' = x + drift·v - kick_x·g + ξx, with the (co)variances of
    the noise.
    """

    decay: float
    drift: float
    kick_v: float
    kick_x: float
    var_v: float
    var_x: float
    cov: float


def check_moments(m: UnderdampedMoments) -> None:
    """Refuse what no step has.

    Raises:
        ValueError: numbers that are not finite, or no covariance matrix.
    """
    if not all(math.isfinite(value) for value in m):
        raise ValueError(f"moments hold a number that is not finite: {m}")
    if m.var_v < 0 or m.var_x < 0 or m.cov**2 > m.var_v * m.var_x:
        raise ValueError(
            f"var_v={m.var_v}, var_x={m.var_x}, cov={m.cov} are no (co)variances; write both "
            "variances >= 0 and cov**2 <= var_v * var_x"
        )


@dataclass(frozen=True)
class UnderdampedStepPlan:
    """The arguments of ``underdamped_step`` besides the arrays."""

    step: Step
    moments: UnderdampedMoments

    @property
    def flags(self) -> tuple[str, ...]:
        """Those of ``UNDERDAMPED_FLAGS`` that hold."""
        fixed = ("FIXED",) * isinstance(self.step.weight, FixedPoint)
        return (*self.step.flags, *fixed)

    @property
    def draws(self) -> bool:
        """Whether weight and velocity are drawn on a grid."""
        return self.step.accumulator == "variance_corrected"

    def scalars(self) -> StepScalars:
        """The constants of the step."""
        m, fmt, noisy = self.moments, self.step.weight, self.moments.var_x > 0
        std_x = math.sqrt(m.var_x)
        own = math.sqrt(max(m.var_v - m.cov**2 / m.var_x, 0.0)) if noisy else 0.0
        bits = fmt.frac_bits if isinstance(fmt, FixedPoint) else 0
        values = (
            m.decay, m.drift, -m.kick_v, -m.kick_x, std_x, m.cov / std_x if noisy else 0.0, own,
            max(m.var_x, LEAST_VARIANCE), m.var_v, m.cov, -m.cov, 2.0**bits, 4.0**-bits,
        )  # fmt: skip
        with np.errstate(over="ignore"):  # beyond the range, Inf
            return StepScalars(*map(np.float32, values))

    def task(
        self, theta: Any, velocity: Any, grad: Any, stored: Any, seen: Any, moved: Any, left: Any,
        found: Any,
    ) -> UnderdampedTask:  # fmt: skip
        """The task for flat float32 arrays; ``left`` has one element where nothing is drawn."""
        s, target = self.step, self.step.weight or IDENTITY
        noisy, rounds = "NOISY" in s.flags, s.mode.stochastic and not s.keeps
        largest, least = _limits(target)
        grid = draw_grid(target, SINGLE) if self.draws else NO_DRAW
        low, high = ends(target)
        return UnderdampedTask(
            theta=theta,
            velocity=velocity,
            grad=grad,
            stored=stored,
            seen=seen,
            moved=moved,
            left=left,
            found=found,
            decay=np.float32(s.weight_decay),
            scalars=self.scalars(),
            variance=np.float64(self.moments.var_x),
            gradient=lower(s.gradient or IDENTITY, SINGLE, s.mode),
            weight=lower(target, SINGLE, s.mode),
            neighbours=_neighbours(target),
            draw=grid,
            short=short_draw(grid, self.moments.var_x) if self.draws else None,
            own=own_draws(grid),
            low=low,
            high=high,
            largest=largest,
            least=least,
            mode=s.mode,
            keys=s.keys(),
            noise_key=words_if(noisy, s.key, VELOCITY_NOISE),
            velocity_keys=(
                words_if(rounds or self.draws, s.key, VELOCITY),
                words_if(self.draws, s.key, VELOCITY, 1),
            ),
            flags=self.flags,
        )


@lru_cache(maxsize=256)
def _neighbours(fmt: FixedPoint | Float) -> tuple[Any, Any]:
    down, up = (lower(fmt, SINGLE, find(mode)) for mode in SIDES.values())
    return down, up


@np.errstate(all="ignore")
def velocity_scale(top: float, widest: float, fmt: Format | Any) -> float:
    """The smallest power of two S ≤ 1 with every draw of a mean up to ``top`` and a variance up to
    ``widest`` within S·(largest value of ``fmt``).

    A power of two, so that dividing by S loses no bit. Formats with scales of their own, and
    floats with the range of float32, take 1.
    """
    return float(texts.velocity_scale(top, widest, *_limits(fmt)))


def _limits(fmt: Format | Any) -> tuple[Any, Any]:
    """The largest value of ``fmt``, and the least scale of a velocity in it."""
    ranged = isinstance(fmt, FixedPoint) or (isinstance(fmt, Float) and fmt.exp_bits < 8)
    if not ranged:
        return np.float64(1.0), np.float64(1.0)
    return np.float64(float(fmt.max)), np.float64(LEAST_SCALE)
