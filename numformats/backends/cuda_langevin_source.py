"""The CUDA kernel of a Langevin step."""

from dataclasses import dataclass

from numformats.backends import cpp
from numformats.backends.cuda_text import (
    DRAW_GRID,
    MADE_DRAW_GRID,
    Entry,
    Params,
    UnitBase,
    getter,
)
from numformats.backends.task import STEP_FLAGS
from numformats.lanes import LANE32, Lane
from numformats.lowering import Lowered
from numformats.rounding import Mode

KEYS = tuple(f"k{i}" for i in range(8))
_ARRAYS: Params = (
    ("const float*", "theta"), ("const float*", "grad"), ("float*", "stored"), ("float*", "seen"),
    ("U64", "n"), ("U64", "vectors"),
)  # fmt: skip
_SCALARS: Params = (
    *(("float", name) for name in ("lr", "decay", "sigma", "low", "high")), ("F64", "variance"),
)  # fmt: skip


@dataclass(frozen=True)
class LangevinUnit(UnitBase):
    """A step with these ``flags`` (of ``STEP_FLAGS``), formats and rounding mode."""

    gradient: Lowered
    weight: Lowered
    mode: Mode
    flags: tuple[str, ...]
    lane: Lane = LANE32
    needs: tuple[str, ...] = ("DRAW", "STEP", "langevin")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode that rounds gradient and weight."""
        return (self.mode,)

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        holds = [f"{flag} = {cpp.literal(flag in self.flags)}" for flag in STEP_FLAGS]
        stochastic = f"stochastic = {cpp.literal(self.mode.stochastic)}"
        lines = [f"static constexpr bool {', '.join([*holds, stochastic])};"]
        for part, low in (("gradient", self.gradient), ("weight", self.weight)):
            how = f"{cpp.literal(low.general)}, {cpp.literal(low.plain_inf)}"
            rule = f"mode_{self.mode.name}::round_bits(x, rand, ZERO, {part}_grid(), {how})"
            lines.append(getter("Grid", f"{part}_grid", low.grid))
            lines.append(f"{cpp.PREFIX} static U {part}(U x, U rand) {{ return {rule}; }}")
        return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        keys: Params = tuple(("W32", key) for key in KEYS)
        params = (*_ARRAYS, *_SCALARS, *keys, ("U64*", "counts"), *DRAW_GRID)
        body = (
            f"const W32 k[8] = {{{', '.join(KEYS)}}}; "
            f"langevin<{name}>(theta, grad, stored, seen, n, vectors, "
            "StepScalars{lr, decay, sigma, low, high, variance}, k, "
            f"{MADE_DRAW_GRID}, counts);"
        )
        return (Entry(f"langevin_{name}", params, body),)
