"""CUDA C++ source of kernels: the printed core texts of a lane, then one specialised kernel for
each ``Spec``, whose constants the compiler folds.

The skeletons (indices, vector loads, shuffles) are in ``cuda/*.cuh``; no rule is written there.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from numformats.backends import cpp
from numformats.backends.emit import CORE, DRAW, LOADS, SCALE, STORES, mode_parts
from numformats.backends.task import Wrapping
from numformats.core import scale
from numformats.core.draw import DrawGrid
from numformats.core.grid import CodeSpec, Grid
from numformats.core.scale import ScaleSpec
from numformats.lanes import Carrier, Lane
from numformats.lowering import SIGNED_FIELDS, Lowered
from numformats.rounding import Mode

C_TYPES = {
    "uint8": "unsigned char",
    "uint16": "unsigned short",
    "uint32": "W32",
    "uint64": "U64",
    "float32": "float",
    "float64": "double",
}
_STREAM = (("W32", "k0"), ("W32", "k1"), ("U64", "first"))
Params = tuple[tuple[str, str], ...]


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


@dataclass(frozen=True)
class Spec:
    """All that a rounding kernel is specialised for; ``scale`` is None outside blocks."""

    carrier: Carrier
    mode: Mode
    lowered: Lowered
    codes: CodeSpec
    encode: bool
    out: str  #: dtype name of the results
    scale: ScaleSpec | None = None
    wrapping: Wrapping | None = None
    scales: str = "uint8"  #: dtype name of the scale codes


def _braces(name: str, fields: Iterable[Any]) -> str:
    return f"{name}{{{', '.join(cpp.literal(int(v)) for v in fields)}}}"


def _getter(kind: str, name: str, fields: Iterable[Any]) -> str:
    return f"static __device__ constexpr {kind} {name}() {{ return {_braces(kind, fields)}; }}"


def _rule(spec: Spec) -> str:
    space = f"mode_{spec.mode.name}"
    if spec.wrapping is not None:
        w = spec.wrapping
        sign = f"U({cpp.literal(w.sign_bit)})"
        more = f"U({cpp.literal(w.mask)}), {sign}, I({w.exponent})"
        return f"{space}::wrap_bits(bits, rand, spare, grid(), {more})"
    flags = f"{cpp.literal(spec.lowered.general)}, {cpp.literal(spec.lowered.plain_inf)}"
    return f"{space}::round_bits(bits, rand, spare, grid(), {flags})"


def spec_text(spec: Spec, name: str) -> str:
    """The struct ``name`` that the skeletons take."""
    c = spec.carrier
    general = cpp.literal(spec.lowered.general)
    lines = [
        f"using Stored = {C_TYPES[c.stored.__name__]}; using Out = {C_TYPES[spec.out]};",
        f"static constexpr bool encode = {cpp.literal(spec.encode)}, "
        f"stochastic = {cpp.literal(spec.mode.stochastic)};",
        _getter("Grid", "grid", spec.lowered.grid),
        _getter("CodeSpec", "codes", spec.codes),
        f"{cpp.PREFIX} static U load(Stored x) {{ return {LOADS[c.name].__name__}(x); }}",
        f"{cpp.PREFIX} static U store(U bits) {{ return {STORES[c.name].__name__}(bits); }}",
        f"{cpp.PREFIX} static U rule(U bits, U rand, U spare) {{ return {_rule(spec)}; }}",
    ]
    if spec.scale is not None:
        lines[-1] = (
            f"{cpp.PREFIX} static U member(U bits, U rand, U spare, Grid g, U amax) {{ return "
            f"mode_{spec.mode.name}::block_bits(bits, rand, spare, g, amax, "
            f"{general} || needs_general(g, I(0))); }}"
        )
        lines.append(f"using Scale = {C_TYPES[spec.scales]};")
        lines.append(_getter("ScaleSpec", "scale", spec.scale))
    return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"


@dataclass(frozen=True)
class Unit:
    """What is compiled together: the kernels of one ``spec`` (or, without one, words, normals and
    draws of ``lane``). ``lanes``: blocks of that many vectors of 16 bytes, in one pass."""

    lane: Lane
    spec: Spec | None = None
    lanes: int = 0

    def entries(self, name: str) -> tuple[Entry, ...]:
        """The kernels, for the struct ``name``."""
        if self.spec is None:
            return random_entries()
        if self.spec.scale is None:
            return (_scalar_entry(self.spec, name),)
        return (_rows_entry(self.spec, name, self.lanes),) if self.lanes else _tile_entries(
            self.spec, name
        )  # fmt: skip


def _scalar_entry(spec: Spec, name: str) -> Entry:
    params = (*_arrays(spec), ("U64", "n"), ("U64", "head"), *_STREAM, ("U", "spare"))
    body = f"quantize<{name}>(x, out, n, head, k0, k1, first, spare);"
    return Entry(f"quantize_{name}", params, body)


def _rows_entry(spec: Spec, name: str, lanes: int) -> Entry:
    params = (*_arrays(spec), _scales(spec), ("U64", "n"), *_STREAM, ("U", "spare"))
    body = f"rows<{name}, {lanes}>(x, out, scales, n, k0, k1, first, spare);"
    return Entry(f"rows_{name}", params, body)


def _tile_entries(spec: Spec, name: str) -> tuple[Entry, Entry]:
    (x, out), n = _arrays(spec), ("U64", "n")
    tiling = tuple(("U64", f) for f in ("n1", "b", "n2", "c", "t1", "t2", "m1", "m2"))
    made = "Tiling{n1, b, n2, c, t1, t2, m1, m2}"
    second = (
        x,
        out,
        _scales(spec),
        ("const U*", "amax"),
        n,
        *tiling,
        *_STREAM,
        ("U", "spare"),
    )
    body = f"tiles<{name}>(x, out, scales, amax, n, {made}, k0, k1, first, spare);"
    return (
        Entry(
            f"maxima_{name}",
            (x, ("U*", "amax"), n, *tiling),
            f"maxima<{name}>(x, amax, n, {made});",
        ),
        Entry(f"tiles_{name}", second, body),
    )


def _scales(spec: Spec) -> tuple[str, str]:
    return f"{C_TYPES[spec.scales]}*", "scales"


def _arrays(spec: Spec) -> Params:
    stored = C_TYPES[spec.carrier.stored.__name__]
    return (f"const {stored}*", "x"), (f"{C_TYPES[spec.out]}*", "out")


def random_entries() -> tuple[Entry, ...]:
    """Words, normals and draws; names end with the dtype of the result."""
    found = [Entry("words", (("U*", "out"), ("U64", "n"), *_STREAM), _WORDS)]
    for real, kind in (("float32", "float"), ("float64", "double")):
        out = (f"{kind}*", "out")
        found.append(Entry(f"normals_{real}", (out, ("U64", "n"), *_STREAM), _NORMALS))
        grid = (("I64", "man_bits"), ("F64", "lowest"), ("F64", "largest"), ("F64", "smallest"))
        params = (
            (f"const {kind}*", "mean"), ("const F64*", "variance"), ("F64", "common"), out,
            ("U64*", "counts"), ("U64", "n"), ("W32", "k0"), ("W32", "k1"), ("W32", "h0"),
            ("W32", "h1"), ("U64", "first"), *grid,
        )  # fmt: skip
        found.append(Entry(f"draws_{real}", params, _DRAWS))
    return tuple(found)


_WORDS = "random_words(out, n, k0, k1, first);"
_NORMALS = "random_normals(out, n, k0, k1, first);"
_DRAWS = (
    "random_draws(mean, variance, common, out, counts, n, k0, k1, h0, h1, first, "
    "DrawGrid{man_bits, lowest, largest, smallest});"
)


def _record(kind: type, types: Callable[[str], str]) -> str:
    fields = " ".join(f"{types(f)} {f};" for f in kind._fields)  # type: ignore[attr-defined]
    return f"struct {kind.__name__} {{ {fields} }};"


@cache
def lane_text(lane: Lane) -> str:
    """Types, constants and every core text of one lane."""
    w = lane.width
    words = ("unsigned int", "int") if w == 32 else ("unsigned long long", "long long")
    numbers = {
        "I": {"SIG_BITS": lane.sig_bits, "EXP_BIAS": lane.bias, "LAST": w - 1},
        "U": {
            "LEFT": w - 1 - lane.sig_bits, "ZERO": 0, "ONE": 1, "ALL": (1 << w) - 1,
            "HALF": 1 << (w - 1), "MAGNITUDE": (1 << (w - 1)) - 1, "HIDDEN": 1 << lane.sig_bits,
            "INF_BITS": lane.inf, "NAN_BITS": lane.nan,
        },
    }  # fmt: skip
    return "\n".join(
        [
            "using W32 = unsigned int; using U64 = unsigned long long; using I64 = long long;",
            f"using F64 = double; using U = {words[0]}; using I = {words[1]};",
            *(
                f"constexpr {kind} {name} = {cpp.literal(value)};"
                for kind, group in numbers.items()
                for name, value in group.items()
            ),
            _skeleton("lane"),
            _record(Grid, lambda f: "I" if f in SIGNED_FIELDS else "U"),
            _record(CodeSpec, lambda f: "U"),
            _record(ScaleSpec, lambda f: "I" if f in ("element_emax", "low", "high") else "U"),
            _record(DrawGrid, lambda f: "I64" if f == "man_bits" else "F64"),
            *map(cpp.function, (*CORE, *dict.fromkeys((*LOADS.values(), *STORES.values())))),
        ]
    )


def _skeleton(name: str) -> str:
    return (files("numformats.backends") / "cuda" / f"{name}.cuh").read_text()


@cache
def mode_text(mode: Mode, blocks: bool) -> str:
    """One rounding mode and the rules that need it, in a namespace of its own."""
    parts = (*mode_parts(mode), *(((scale.block_bits, None),) if blocks else ()))
    rules = [cpp.function(*part) for part in parts]
    return "\n".join([f"namespace mode_{mode.name} {{", *rules, "}"])


def source(units: Mapping[str, Unit]) -> str:
    """A translation unit with the kernels of ``units``, by names; all of one lane and, where there
    are blocks, of one carrier."""
    lane = next(iter(units.values())).lane
    specs = {name: unit.spec for name, unit in units.items() if unit.spec is not None}
    blocks = [spec for spec in specs.values() if spec.scale is not None]
    parts = [lane_text(lane), _skeleton("random")]
    if blocks:
        largest = cpp.literal(blocks[0].carrier.largest)
        parts += [f"constexpr U CARRIER_MAX = {largest};", *map(cpp.function, SCALE)]
    if len(specs) < len(units):
        parts += [*map(cpp.function, DRAW), _skeleton("draws")]
    parts += [mode_text(mode, bool(blocks)) for mode in {s.mode: 0 for s in specs.values()}]
    parts += [_skeleton("scalar")] * bool(specs) + [_skeleton("blocks")] * bool(blocks)
    parts += [spec_text(spec, name) for name, spec in specs.items()]
    entries = [entry.text for name, unit in units.items() for entry in unit.entries(name)]
    return "\n".join([*parts, *entries]) + "\n"
