"""The CUDA kernels of fused dot products."""

from dataclasses import dataclass

from numformats.backends import cpp
from numformats.backends.cuda_text import C_TYPES, Entry, Params, UnitBase, getter
from numformats.backends.dot_task import DotRule
from numformats.backends.dot_texts import DOT, GROUP
from numformats.core.dot import DotSpec, finish_truncated, first_truncated
from numformats.core.grid import Grid
from numformats.lanes import LANE64, Lane
from numformats.rounding import Mode

TILE = 32  # rows and columns of a thread block's results, as in cuda/results.cuh
SIZES: Params = (("U64", "batches"), ("U64", "m"), ("U64", "n"), ("U64", "k"))
_FACTOR = (("const int*", "sig"), ("const short*", "exp"), ("const unsigned char*", "kind"))
AT: Params = (("const I64*", "a_at"), ("const I64*", "b_at"))
MADE_SIZES = "Sizes{batches, m, n, k}"
TRUNCATED = DotRule(first_truncated, finish_truncated)


@dataclass(frozen=True)
class GroupsUnit(UnitBase):
    """What groups along K have in common."""

    lane: Lane = LANE64
    needs: tuple[str, ...] = ("groups",)

    def entries(self, name: str) -> tuple[Entry, ...]:
        """Kinds joined, and masks of what is not zero."""
        sizes: Params = (("U64", "n"), ("U64", "group"), ("U64", "inner"))
        kinds = (("const unsigned char*", "x"), ("unsigned char*", "out"), *sizes)
        masks = (("const int*", "x"), ("U64*", "out"), *sizes)
        return (
            Entry(f"kinds_{name}", kinds, "joined_kinds(x, out, n, group, inner);"),
            Entry(f"masks_{name}", masks, "nonzero_masks(x, out, n, group, inner);"),
        )


@dataclass(frozen=True)
class DotUnit(UnitBase):
    """All that a kernel of fused dot products is specialised for; ``count`` is 0, or the number of
    scaled groups that are aligned at a time."""

    rule: DotRule
    spec: DotSpec
    grid: Grid
    mode: Mode
    general: bool
    nan: int
    group: int
    wide: bool
    run: int
    real: str
    count: int = 0
    lane: Lane = LANE64

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Skeletons and groups of texts that the kernels call."""
        return ("DOT", "results", "group_dots" if self.count else "dots")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode of the conversion."""
        return (self.mode,)

    def _texts(self, name: str) -> str:
        """The core texts, bound to these terms, this NaN and this mode."""
        width = 64 if self.wide else 32
        terms = "using T = I64; using TU = U64;" if self.wide else "using T = int; using TU = W32;"
        more = GROUP if self.count else (self.rule.first, self.rule.finish)
        return "\n".join(
            [
                f"namespace dot_{name} {{ using mode_{self.mode.name}::round_bits; {terms}",
                f"constexpr T TERM_LAST = {width - 1};",
                f"constexpr bool DOT_GENERAL = {cpp.literal(self.general)};",
                f"constexpr U DOT_NAN = {cpp.literal(self.nan)};",
                f"{cpp.PREFIX} TU shr_term(TU x, TU s) {{ return shr(x, s); }}",
                *map(cpp.function, (*DOT, *more)),
                "}",
            ]
        )

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        first, finish = self.rule.first.__name__, self.rule.finish.__name__
        sums = "total, top, odd, odd_top, c, spec(), grid()"
        numbers = {
            "parts": self.rule.parts, "group": self.group, "part": self.group // self.rule.parts,
            "run": self.run, "count": self.count,
        }  # fmt: skip
        made = ", ".join(f"{key} = {value}" for key, value in numbers.items())
        lines = [
            f"using Real = {C_TYPES[self.real]}; using T = dot_{name}::T;",
            f"static constexpr int {made};",
            f"static constexpr bool overflow = {cpp.literal(self.rule.product_overflow)};",
            getter("DotSpec", "spec", self.spec),
            getter("Grid", "grid", self.grid),
            _call("I", "first", "U c, bool zero, bool given",
                  f"dot_{name}::{first}(c, zero, given, spec())"),
            _call("U", "finish", "I total, I top, I odd, I odd_top, U c",
                  f"dot_{name}::{finish}({sums})"),
            _call("T", "term", "T sa, T sb, T up, T eb", f"dot_{name}::term(sa, sb, up, eb)"),
            _call("T", "aligned", "T p, T shift", f"dot_{name}::aligned(p, shift)"),
            _call("bool", "over_range", "I sa, I ea, I sb, I eb",
                  f"dot_{name}::over_range(sa, ea, sb, eb, spec())"),
            _call("U", "product_flags", "U a, U b, bool over",
                  f"dot_{name}::product_flags(a, b, over)"),
            _call("U", "special_sum", "U flags, U out, U c",
                  f"dot_{name}::special_sum(flags, out, c)"),
            *(_group_calls(name) if self.count else ()),
        ]  # fmt: skip
        return f"{self._texts(name)}\nstruct {name} {{\n    " + "\n    ".join(lines) + "\n};"

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        out = ((f"{C_TYPES[self.real]}*", "out"),)
        if self.count:
            return (_scaled_entry(name, out),)
        more = ("joined", "const unsigned char*")
        params = (*_factor("a", *more), *_factor("b", *more), *AT, *out, *SIZES)
        body = f"dots<{name}>({_made('Factors', 'a')}, {_made('Factors', 'b')}, a_at, b_at, out, "
        return (Entry(f"dots_{name}", params, f"{body}{MADE_SIZES});"),)


def _group_calls(name: str) -> tuple[str, ...]:
    space = f"dot_{name}"
    return (
        _call("bool", "group_is_zero", "I sig, U nonzero", f"{space}::group_is_zero(sig, nonzero)"),
        _call("I", "group_exponent", "I e, I sig, U nonzero",
              f"{space}::group_exponent(e, sig, nonzero, spec())"),
        _call("I", "group_term", "I total, I sig", f"{space}::group_term(total, sig, spec())"),
    )  # fmt: skip


def _scaled_entry(name: str, out: Params) -> Entry:
    more = ("nonzero", "const U64*")
    arrays: Params = (("const int*", "a"), ("const int*", "b"))
    params = (*arrays, *_factor("a", *more), *_factor("b", *more), *AT, *out, *SIZES)
    levels = [_made("Levels", side, "nonzero") for side in "ab"]
    body = f"scaled_dots<{name}>(a, {levels[0]}, b, {levels[1]}, a_at, b_at, out, {MADE_SIZES});"
    return Entry(f"scaled_dots_{name}", params, body)


def _call(kind: str, name: str, given: str, value: str) -> str:
    return f"{cpp.PREFIX} static {kind} {name}({given}) {{ return {value}; }}"


def _factor(side: str, last: str, kind: str) -> Params:
    return (*((c, f"{side}_{field}") for c, field in _FACTOR), (kind, f"{side}_{last}"))


def _made(kind: str, side: str, last: str = "joined") -> str:
    return f"{kind}{{{', '.join(f'{side}_{f}' for f in ('sig', 'exp', 'kind', last))}}}"
