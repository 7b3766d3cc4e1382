"""CUDA C++ source: the printed core texts of a lane, then the kernels of units, each specialised
for a format, whose constants the compiler folds.

The skeletons (indices, vector loads, shuffles) are in ``cuda/*.cuh``; no rule is written there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from numformats.backends import cpp
from numformats.backends.dot_task import NO_TERM
from numformats.backends.dot_texts import CHAIN, SPLIT
from numformats.backends.emit import (
    BLOCK_DRAW,
    CORE,
    DRAW,
    ELEMENTS,
    LIFT,
    LOADS,
    NORMAL,
    QUOTIENT,
    SCALE,
    SHORT,
    SHORT_DRAW,
    STEP,
    STORES,
    UNDERDAMPED,
    UNITS,
    mode_parts,
)
from numformats.core import scale, scaled
from numformats.core.decode import DecodeSpec
from numformats.core.dot import DotSpec
from numformats.core.draw import DrawGrid
from numformats.core.grid import CodeSpec, Grid
from numformats.core.lane import BARE, DEEP, GAPPED, ZEROLESS
from numformats.core.operand import SplitSpec
from numformats.core.scale import ScaleSpec
from numformats.core.scaled import LevelSpec
from numformats.core.short_draw import OwnDraws, Place, ShortDraw
from numformats.core.underdamped import StepScalars
from numformats.lanes import CARRIERS, LANE32, LANE64, Lane
from numformats.lowering import SIGNED_DECODE, SIGNED_FIELDS
from numformats.rounding import Mode

C_TYPES = {
    "int8": "signed char", "int16": "short", "int32": "int", "int64": "I64",
    "uint8": "unsigned char", "uint16": "unsigned short", "uint32": "W32", "uint64": "U64",
    "float32": "float", "float64": "double",
}  # fmt: skip
STREAM = (("W32", "k0"), ("W32", "k1"), ("U64", "first"))
TILING = tuple(("U64", f) for f in ("n1", "b", "n2", "c", "t1", "t2", "m1", "m2"))
MADE_TILING = f"Tiling{{{', '.join(name for _, name in TILING)}}}"
Params = tuple[tuple[str, str], ...]
_WHOLE = ("man_bits", "bottom", "around", "sparse", "widest", "least")
SHORT_KINDS = {f: "I" if f in _WHOLE else "F32" for f in ShortDraw._fields}
DRAW_KINDS = {f: "I64" if f in ("man_bits", "sparse") else "F64" for f in DrawGrid._fields}


@dataclass(frozen=True)
class Entry:
    """A kernel: its name, the C types and names of its arguments, and its body."""

    name: str
    params: Params
    body: str

    @property
    def text(self) -> str:
        """The definition, with C linkage."""
        given = ", ".join(f"{kind} {name}" for kind, name in self.params)
        return f'extern "C" __global__ void {self.name}({given}) {{ {self.body} }}'


class UnitBase:
    """What is compiled together: kernels of one lane."""

    lane: Lane
    needs: tuple[str, ...] = ()  #: skeletons, and groups of texts (in capitals)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The rounding modes that the kernels use."""
        return ()

    @property
    def largest(self) -> int:
        """Lane magnitude bits of the carrier's largest value, for ``SCALE``."""
        return CARRIERS["float64"].largest

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        return ""

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The kernels, for the struct ``name``."""
        raise NotImplementedError


def getter(kind: str, name: str, fields: Iterable[Any]) -> str:
    """A constant record of integers as a member function ``name``."""
    made = f"{kind}{{{', '.join(cpp.literal(int(v)) for v in fields)}}}"
    return f"static __device__ constexpr {kind} {name}() {{ return {made}; }}"


def draw_getter(g: DrawGrid) -> str:
    """The grid of draws as a member function ``draw_grid``, constants that the compiler folds."""
    made = ", ".join(cpp.literal(v.item()) for v in g)
    return f"static __device__ constexpr DrawGrid draw_grid() {{ return DrawGrid{{{made}}}; }}"


def own_getter(own: OwnDraws) -> str:
    """What draws in float32 need whose variances are those of elements, as members."""
    unit, *limits = own
    made = ", ".join(cpp.literal(v.item()) for v in unit)
    served = ", ".join(f"F32({cpp.literal(v.item())})" for v in limits)
    return (
        f"static __device__ constexpr ShortDraw own_grid() {{ return ShortDraw{{{made}}}; }} "
        f"static __device__ bool serves(float v) {{ return is_short(v, {served}); }}"
    )


def _record(kind: type, types: Callable[[str], str]) -> str:
    fields = " ".join(f"{types(f)} {f};" for f in kind._fields)  # type: ignore[attr-defined]
    return f"struct {kind.__name__} {{ {fields} }};"


@cache
def lane_text(lane: Lane) -> str:
    """Types, constants and every core text of one lane."""
    w = lane.width
    words = ("unsigned int", "int") if w == 32 else ("unsigned long long", "long long")
    needs = {"DEEP": DEEP, "GAPPED": GAPPED, "BARE": BARE, "ZEROLESS": ZEROLESS}
    numbers = {
        "int": needs,
        "I": {"SIG_BITS": lane.sig_bits, "EXP_BIAS": lane.bias, "LAST": w - 1},
        "U": {
            "LEFT": w - 1 - lane.sig_bits, "ZERO": 0, "ONE": 1, "ALL": (1 << w) - 1,
            "HALF": 1 << (w - 1), "MAGNITUDE": (1 << (w - 1)) - 1, "HIDDEN": 1 << lane.sig_bits,
            "INF_BITS": lane.inf, "NAN_BITS": lane.nan,
        },
    }  # fmt: skip
    moves = dict.fromkeys((*LOADS.values(), *STORES.values()))
    return "\n".join(
        [
            "using W32 = unsigned int; using U64 = unsigned long long; using I64 = long long;",
            f"using F32 = float; using F64 = double; using U = {words[0]}; using I = {words[1]};",
            *(
                f"constexpr {kind} {name} = {cpp.literal(value)};"
                for kind, group in numbers.items()
                for name, value in group.items()
            ),
            _skeleton("lane"),
            _record(Grid, lambda f: "I" if f in SIGNED_FIELDS else "U"),
            _record(CodeSpec, lambda f: "U"),
            _record(ScaleSpec, lambda f: "I" if f in ("element_emax", "low", "high") else "U"),
            _record(DrawGrid, DRAW_KINDS.__getitem__),
            _record(DecodeSpec, lambda f: "I" if f in SIGNED_DECODE else "U"),
            _record(LevelSpec, lambda f: "F64"),
            *map(cpp.function, (*CORE, *UNITS, *moves)),
            cpp.function(scaled.tensor_level),
            *map(cpp.function, (scaled.magnitude_of,) if w == 64 else ()),
        ]
    )


def _skeleton(name: str) -> str:
    return (files("numformats.backends") / "cuda" / f"{name}.cuh").read_text()


@cache
def mode_text(mode: Mode, lane: Lane, blocks: bool, short: bool) -> str:
    """One rounding mode and the rules that need it, in a namespace of its own."""
    more: list[Callable[..., Any]] = [scale.block_bits] * blocks
    if lane is LANE64:
        more += [*ELEMENTS, scaled.float_level]
    if short:
        more += SHORT
    rules = [cpp.function(*part) for part in (*mode_parts(mode), *((f, None) for f in more))]
    return "\n".join([f"namespace mode_{mode.name} {{", *rules, "}"])


_SKELETONS = (
    "scalar", "tiling", "blocks", "normals", "gather", "counts", "draws", "block_draws", "levels",
    "scaled", "quotients", "decode", "steps", "langevin", "underdamped", "velocities", "layout",
    "factors", "reading", "casts", "groups", "results", "dots", "group_dots",
    "chains", "plain", "integers",
)  # fmt: skip


_SPLIT = _record(SplitSpec, lambda f: "I" if f in ("man_bits", "min_exp") else "U")
_STEP_SCALARS = _record(StepScalars, lambda f: "F32")
_SHORT_DRAW = "\n".join(
    [
        _record(ShortDraw, SHORT_KINDS.__getitem__),
        _record(Place, lambda f: {"wide": "bool", "used": "I"}.get(f, "F32")),
    ]
)
_GROUPS: dict[str, tuple[str, tuple[Callable[..., Any], ...]]] = {
    "NORMAL": ("", NORMAL),
    "DRAW": ("", DRAW),
    "SHORT_DRAW": (_SHORT_DRAW, SHORT_DRAW),
    "BLOCK_DRAW": ("", BLOCK_DRAW),
    "QUOTIENT": ("", QUOTIENT),
    "STEP": ("", STEP),
    "UNDERDAMPED": (_STEP_SCALARS, UNDERDAMPED),
    "SPLIT": (f"{_SPLIT}\nconstexpr int NO_TERM = {NO_TERM};", SPLIT),
    "DOT": (_record(DotSpec, lambda f: "I64"), ()),
    "CHAIN": ("", CHAIN),
}


def _group(name: str) -> str:
    """Records and constants, and the texts that need them."""
    head, texts = _GROUPS[name]
    return "\n".join([head, *map(cpp.function, texts)])


def together(units: Iterable[UnitBase]) -> list[list[UnitBase]]:
    """``units`` in groups, each of which a translation unit holds: of one lane, and of blocks with
    one largest number (that of codes is the lane's)."""
    found: dict[tuple[Lane, int], list[UnitBase]] = {}
    for unit in sorted(units, key=lambda unit: "SCALE" not in unit.needs):
        key = (unit.lane, unit.largest if "SCALE" in unit.needs else 0)
        if "SCALE" not in unit.needs:  # joins any of its lane
            key = next((known for known in found if known[0] is unit.lane), key)
        found.setdefault(key, []).append(unit)
    return list(found.values())


def source(units: Mapping[str, UnitBase]) -> str:
    """A translation unit with the kernels of ``units``, by names: units that go ``together``.

    Raises:
        ValueError: blocks with several largest numbers.
    """
    given = tuple(units.values())
    lane, needs = given[0].lane, {need for unit in given for need in unit.needs}
    modes = dict.fromkeys(mode for unit in given for mode in unit.modes)
    parts = [lane_text(lane), _skeleton("random")]
    if "SCALE" in needs:
        (largest,) = {unit.largest for unit in given if "SCALE" in unit.needs}
        parts += [f"constexpr U CARRIER_MAX = {cpp.literal(largest)};", *map(cpp.function, SCALE)]
        parts += map(cpp.function, LIFT if lane is LANE32 else (scaled.power_level,))
    parts += [_group(name) for name in _GROUPS if name in needs]
    parts += [mode_text(mode, lane, "SCALE" in needs, "QUOTIENT" in needs) for mode in modes]
    parts += [_skeleton(name) for name in _SKELETONS if name in needs]
    parts += [unit.definition(name) for name, unit in units.items()]
    entries = [entry.text for name, unit in units.items() for entry in unit.entries(name)]
    return "\n".join([*parts, *entries]) + "\n"
