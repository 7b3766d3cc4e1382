"""What a backend is asked to do for one step of underdamped Langevin dynamics."""

from typing import Any, NamedTuple

from numformats.backends.task import Keys
from numformats.core.draw import DrawGrid
from numformats.core.short_draw import OwnDraws, ShortDraw
from numformats.core.underdamped import StepScalars
from numformats.lowering import Lowered
from numformats.rounding import Mode

UNDERDAMPED_FLAGS = ("GRADIENT", "DECAYS", "NOISY", "WEIGHT", "KEEPS", "DRAWN", "FIXED")
SIDES = {"below": "toward_negative", "above": "toward_positive"}  #: modes that find neighbours


class UnderdampedTask(NamedTuple):
    """One step of flat float32 arrays: ``stored`` receives the accumulator, ``seen`` the weight
    (one array where they are equal by definition), ``moved`` the velocity, ``left`` the variance
    left to the velocity's draw (one element where nothing is drawn).

    ``flags`` of ``UNDERDAMPED_FLAGS``: those of ``task.STEP_FLAGS``, and whether the weight's grid
    has one gap; ``short`` and ``own`` are forms of draws as in ``task.DrawTask``, of the position
    and of the velocity; ``neighbours`` are other grids lowered for the modes of ``SIDES``;
    ``largest`` and ``least`` are arguments of ``core.underdamped.velocity_scale``.

    ``found``, int64 (5,), gathers what draws count, and the bits of the velocity's scale
    (float64, last) where that is in ``few_bits``; kernels on devices keep magnitudes between.
    """

    theta: Any
    velocity: Any
    grad: Any
    stored: Any
    seen: Any
    moved: Any
    left: Any
    found: Any
    decay: Any
    scalars: StepScalars
    variance: Any
    gradient: Lowered
    weight: Lowered
    neighbours: tuple[Lowered, Lowered]
    draw: DrawGrid
    short: ShortDraw | None
    own: OwnDraws
    low: Any
    high: Any
    largest: Any
    least: Any
    mode: Mode
    keys: Keys
    noise_key: tuple[Any, Any]
    velocity_keys: tuple[tuple[Any, Any], tuple[Any, Any]]
    flags: tuple[str, ...]

    @property
    def general(self) -> bool:
        """Whether a grid needs the general texts."""
        return self.gradient.general or self.weight.general

    @property
    def few_bits(self) -> bool:
        """Whether the velocity is rounded or drawn too, in units that depend on all of it."""
        return "DRAWN" in self.flags or ("WEIGHT" in self.flags and "KEEPS" not in self.flags)
