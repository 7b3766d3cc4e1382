"""The CUDA kernel of a Langevin step, and the rules that kernels of steps take."""

from collections.abc import Iterable
from dataclasses import dataclass

from numformats.backends import cpp
from numformats.backends.cuda_draw_source import Law
from numformats.backends.cuda_text import Entry, Params, UnitBase, draw_getter, getter
from numformats.backends.task import STEP_FLAGS
from numformats.core.draw import DrawGrid
from numformats.lanes import LANE32, Lane
from numformats.lowering import Lowered
from numformats.rounding import Mode

KEYS = tuple(f"k{i}" for i in range(8))
_ARRAYS: Params = (
    ("const float*", "theta"), ("const float*", "grad"), ("float*", "stored"), ("float*", "seen"),
    ("U64", "n"), ("U64", "vectors"),
)  # fmt: skip
_SCALARS: Params = (
    *(("float", name) for name in ("lr", "decay", "sigma", "low", "high")),
)  # fmt: skip


def rules_text(
    name: str, holds: dict[str, bool], draw: str, law: Law,
    rules: Iterable[tuple[str, Lowered, Mode]],
) -> str:  # fmt: skip
    """A struct of flags, of what draws take, and of functions that round bits: each rule's name,
    grid and mode."""
    flags = ", ".join(f"{flag} = {cpp.literal(held)}" for flag, held in holds.items())
    lines = [f"static constexpr bool {flags};", draw, law.definition]
    for part, low, mode in rules:
        how = f"{cpp.literal(low.general)}, {cpp.literal(low.plain_inf)}"
        rule = f"mode_{mode.name}::round_bits(x, rand, ZERO, {part}_grid(), {how})"
        lines.append(getter("Grid", f"{part}_grid", low.grid))
        lines.append(f"{cpp.PREFIX} static U {part}(U x, U rand) {{ return {rule}; }}")
    return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"


@dataclass(frozen=True)
class LangevinUnit(UnitBase):
    """A step with these ``flags`` (of ``STEP_FLAGS``), formats and rounding mode."""

    gradient: Lowered
    weight: Lowered
    mode: Mode
    draw: DrawGrid
    law: Law
    flags: tuple[str, ...]
    lane: Lane = LANE32
    needs: tuple[str, ...] = ("DRAW", "SHORT_DRAW", "STEP", "gather", "counts", "steps", "langevin")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode that rounds gradient and weight."""
        return (self.mode,)

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        holds = {flag: flag in self.flags for flag in STEP_FLAGS}
        rules = (("gradient", self.gradient, self.mode), ("weight", self.weight, self.mode))
        holds["stochastic"] = self.mode.stochastic
        return rules_text(name, holds, draw_getter(self.draw), self.law, rules)

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        keys: Params = tuple(("W32", key) for key in KEYS)
        params = (*_ARRAYS, *_SCALARS, *self.law.params, *keys, ("U64*", "counts"))
        body = (
            f"const W32 k[8] = {{{', '.join(KEYS)}}}; "
            f"langevin<{name}>(theta, grad, stored, seen, n, vectors, "
            f"LangevinScalars{{lr, decay, sigma, low, high}}, {self.law.made}, k, counts);"
        )
        return (Entry(f"langevin_{name}", params, body),)
