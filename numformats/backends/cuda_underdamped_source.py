"""The CUDA kernels of an underdamped Langevin step."""

from dataclasses import dataclass

from numformats.backends.cuda_draw_source import Law
from numformats.backends.cuda_langevin_source import rules_text
from numformats.backends.cuda_text import Entry, Params, UnitBase, draw_getter, own_getter
from numformats.backends.underdamped_task import SIDES, UNDERDAMPED_FLAGS
from numformats.core.draw import DrawGrid
from numformats.core.short_draw import OwnDraws
from numformats.core.underdamped import StepScalars
from numformats.lanes import LANE32, Lane
from numformats.lowering import Lowered
from numformats.rounding import MODES, Mode

KEYS = tuple(f"k{i}" for i in range(10))
_ARRAYS: Params = (
    *(("const float*", name) for name in ("theta", "velocity", "grad")),
    *(("float*", name) for name in ("stored", "seen", "moved", "left")),
)
_SIZES: Params = (("U64", "n"), ("U64", "vectors"))
_RANGE: Params = (("float", "low"), ("float", "high"))
# The velocity's decay is one of the scalars, the weight's comes by another name.
_SCALARS: Params = (
    *(("float", name) for name in StepScalars._fields), ("float", "weight_decay"),
    *_RANGE,
)  # fmt: skip


@dataclass(frozen=True)
class UnderdampedUnit(UnitBase):
    """A step with these ``flags`` (of ``UNDERDAMPED_FLAGS``), formats and rounding mode;
    ``neighbours`` are grids for rounding down and up, where a draw needs them."""

    gradient: Lowered
    weight: Lowered
    neighbours: tuple[Lowered, ...]
    mode: Mode
    draw: DrawGrid
    own: OwnDraws
    law: Law
    flags: tuple[str, ...]
    few_bits: bool
    lane: Lane = LANE32
    needs: tuple[str, ...] = (
        "DRAW", "SHORT_DRAW", "STEP", "UNDERDAMPED", "gather", "counts", "steps", "underdamped",
        "velocities",
    )  # fmt: skip

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode that rounds gradient, weight and velocity, and those of neighbours."""
        return (self.mode, *(MODES[side] for side in SIDES.values() if self.neighbours))

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        holds = {flag: flag in self.flags for flag in UNDERDAMPED_FLAGS}
        sides = zip(SIDES.items(), self.neighbours, strict=False)  # there are none, or both
        rules = (
            ("gradient", self.gradient, self.mode),
            ("weight", self.weight, self.mode),
            *((side, low, MODES[mode]) for (side, mode), low in sides),
        )
        more = {"stochastic": self.mode.stochastic, "FEW": self.few_bits}
        draw = f"{draw_getter(self.draw)} {own_getter(self.own)}"
        return rules_text(name, holds | more, draw, self.law, rules)

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The step up to the velocity's scale; the velocity in few bits."""
        steps = (self._step(name), self._velocities(name))
        return steps if self.few_bits else steps[:1]

    def _step(self, name: str) -> Entry:
        keys: Params = tuple(("W32", key) for key in KEYS)
        params = (*_ARRAYS, *_SIZES, *_SCALARS, *self.law.params, *keys, ("U64*", "all"))
        arrays = ", ".join(array for _, array in _ARRAYS)
        body = (
            f"const W32 k[10] = {{{', '.join(KEYS)}}}; "
            f"underdamped<{name}>(UnderdampedArrays{{{arrays}}}, n, vectors, "
            f"UnderdampedRule{{StepScalars{{{', '.join(StepScalars._fields)}}}, weight_decay, "
            f"low, high}}, {self.law.made}, k, all);"
        )
        return Entry(f"underdamped_{name}", params, body)

    def _velocities(self, name: str) -> Entry:
        arrays: Params = (("float*", "moved"), ("const float*", "left"))
        limits: Params = (("F64", "top_value"), ("F64", "least_scale"))
        keys: Params = tuple(("W32", key) for key in KEYS[:4])
        params = (*arrays, *_SIZES, *limits, *_RANGE, *keys, ("U64*", "all"))
        body = (
            f"const W32 k[4] = {{{', '.join(KEYS[:4])}}}; "
            f"velocities<{name}>(moved, left, n, vectors, top_value, least_scale, "
            "VelocityRule{1.0f, low, high}, k, all);"
        )
        return Entry(f"velocities_{name}", params, body)
