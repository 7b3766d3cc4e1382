"""What a backend is asked to do: flat arrays of stored bits and a lowered format. Every backend
serves these tasks.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

from numformats.blocking import Geometry
from numformats.core.block_draw import ShortBlocks
from numformats.core.decode import DecodeSpec
from numformats.core.draw import DrawGrid
from numformats.core.grid import CodeSpec
from numformats.core.scale import ScaleSpec
from numformats.core.scaled import LevelSpec
from numformats.core.short_draw import OwnDraws, ShortDraw
from numformats.lanes import CARRIERS, LANE32, LANE64, Carrier, Lane
from numformats.lowering import Lowered
from numformats.rounding import Mode


@dataclass(frozen=True)
class Wrapping:
    """A wrapping fixed-point word: its mask, its sign bit (0: unsigned), its quantum's exponent."""

    mask: int
    sign_bit: int
    exponent: int

    def limits(self, lane: Lane) -> tuple[Any, Any, Any]:
        """The three as scalars of the lane."""
        return lane.unsigned(self.mask), lane.unsigned(self.sign_bit), lane.signed(self.exponent)


@dataclass(frozen=True, eq=False)
class Rule:
    """How elements of a carrier are rounded. There is one object for each way, by which backends
    find their kernels: it is told from others by what it is, not by what it holds.
    """

    carrier: Carrier
    lowered: Lowered
    codes: CodeSpec
    mode: Mode
    wrapping: Wrapping | None = None
    scale: ScaleSpec | None = None  #: of blocks with power-of-two scales


class ScalarTask(NamedTuple):
    """Round ``x`` (stored bits of a carrier, flat, contiguous) into ``out``: stored bits, or codes
    if ``encode``.

    ``words`` is the pair of key words, ``first`` the index of the first element in the random
    stream, ``spare`` the lane width minus the number of random bits in use.
    """

    x: Any
    out: Any
    rule: Rule
    words: tuple[Any, Any]
    first: int
    spare: int
    encode: bool


class BlockTask(NamedTuple):
    """As ``ScalarTask``, in blocks with power-of-two scales; ``scales`` receives the scale
    codes.
    """

    x: Any
    out: Any
    scales: Any
    geometry: Geometry
    rule: Rule
    words: tuple[Any, Any]
    first: int
    spare: int
    encode: bool


class DrawTask(NamedTuple):
    """Variance-corrected draws of flat float arrays; ``variance`` has one element, or as many as
    ``mean`` (float32 or float64). Float32 means have forms in float32: ``short``, where there is
    one, says all of the format and of the one variance, ``own`` of the format where elements have
    variances.
    """

    mean: Any
    variance: Any
    out: Any
    key: tuple[Any, Any]
    other_key: tuple[Any, Any]
    first: int
    grid: DrawGrid
    counts: Any  #: (2,), 64 bits: gathers too much variance, beyond the range; None: unwanted
    short: ShortDraw | None = None
    own: OwnDraws | None = None


EITHER, WIDE, NARROW = 0, 1, 2  #: laws of draws


def law_of(g: ShortDraw) -> int:
    """The law of all draws, where it does not depend on the mean."""
    if g.man_bits >= 0:
        return EITHER
    return WIDE if g.around <= g.widest else NARROW


def drawn_on(g: DrawGrid, short: ShortDraw | None = None) -> dict[str, Any]:
    """What a kernel may take for granted of its draws."""
    known = {"uniform": bool(g.man_bits < 0), "sparse": bool(g.sparse)}
    return known | ({"short": True, "law": law_of(short)} if short else {})


@dataclass(frozen=True)
class Levels:
    """How the scales of blocks are chosen over reals (64-bit lane): powers of two by ``power``,
    others rounded to ``lowered`` under ``mode``; ``codes`` says how they are stored.
    """

    power: ScaleSpec
    is_power: bool
    lowered: Lowered
    mode: Mode
    codes: CodeSpec
    spec: LevelSpec


@dataclass(frozen=True)
class Short:
    """The grids and codes of scales and elements in the 32-bit lane; they saturate and need no
    general text."""

    level: Lowered
    level_codes: CodeSpec
    element: Lowered
    codes: CodeSpec


class ScaledTask(NamedTuple):
    """Round (or encode) ``x`` (flat, float32 or float64) in blocks with scales of any kind;
    ``scales`` receives their codes if ``encode``. Formats and words are those of the 64-bit lane;
    where there is a ``short`` form, that gives the same results, and words are those of the 32-bit
    lane. ``x`` and ``out`` may then be stored bits of ``carrier``, rounded to nearest, on a backend
    that says so (``STORED_SHORT``).
    """

    x: Any
    out: Any
    scales: Any
    geometry: Geometry
    levels: Levels
    lowered: Lowered
    codes: CodeSpec
    mode: Mode
    words: tuple[Any, Any]
    first: int
    spare: int
    encode: bool
    short: Short | None = None
    carrier: Carrier = CARRIERS["float32"]
    tensor_scale: float = 0.0  #: of the whole array, in float32; 0: as its maximum asks

    @property
    def finds_scale(self) -> bool:
        """Whether the scale of the whole array is that of its largest magnitude."""
        return bool(self.levels.spec.tensor_limit > 0) and not self.tensor_scale

    @property
    def known_scale(self) -> float:
        """The scale of the whole array, where it is not found: given, or 1."""
        return self.tensor_scale or 1.0

    @property
    def elements(self) -> tuple[Lane, Lowered, CodeSpec]:
        """The lane that rounds elements, with their grid and codes there."""
        if self.short:
            return LANE32, self.short.element, self.short.codes
        return LANE64, self.lowered, self.codes


class BlockDrawTask(NamedTuple):
    """Variance-corrected draws on the element grid of blocks whose scales cover whatever can be
    drawn; in float32 in blocks whose scales are those of ``short``.
    """

    draw: DrawTask
    geometry: Geometry
    levels: Levels
    short: ShortBlocks | None = None


class DecodeTask(NamedTuple):
    """Values of ``codes`` (flat) into ``out`` (float32 or float64); where there is a ``geometry``,
    times ``second`` and one of ``totals`` (float64) for each block.
    """

    codes: Any
    out: Any
    spec: DecodeSpec
    geometry: Geometry | None = None
    totals: Any = None
    second: float = 1.0


class Keys(NamedTuple):
    """Key words of one Langevin step: of rounding the gradient, of the noise, and of the weight
    (with a second stream for draws).
    """

    gradient: tuple[Any, Any]
    noise: tuple[Any, Any]
    weight: tuple[Any, Any]
    other: tuple[Any, Any]
    first: int


STEP_FLAGS = ("GRADIENT", "DECAYS", "NOISY", "WEIGHT", "KEEPS", "DRAWN")


class LangevinTask(NamedTuple):
    """One Langevin step of flat float32 arrays: ``stored`` receives the accumulator, ``seen`` the
    weight (both may be ``theta``; one array where they are equal by definition).

    ``flags`` of ``STEP_FLAGS``: the gradient is rounded; there is weight decay; noise is added; the
    weight is rounded; the accumulator is kept apart from it; it is drawn on the grid ``draw``.
    ``lr`` comes negated; ``counts`` is that of draws.
    """

    theta: Any
    grad: Any
    stored: Any
    seen: Any
    counts: Any
    lr: Any
    decay: Any
    sigma: Any
    variance: Any
    gradient: Lowered
    weight: Lowered
    draw: DrawGrid
    short: ShortDraw | None
    low: Any
    high: Any
    mode: Mode
    keys: Keys
    flags: tuple[str, ...]

    @property
    def general(self) -> bool:
        """Whether a grid needs the general texts."""
        return self.gradient.general or self.weight.general
