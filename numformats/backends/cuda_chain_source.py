"""The CUDA kernels of accumulations: rounded step by step, with one fixed rule, and integers."""

from dataclasses import dataclass

from numformats.backends import cpp
from numformats.backends.chain_task import Step
from numformats.backends.cuda_dot_source import AT, MADE_SIZES, SIZES
from numformats.backends.cuda_source import rule
from numformats.backends.cuda_text import C_TYPES, Entry, UnitBase, getter
from numformats.lanes import LANE64, Lane
from numformats.rounding import Mode


def rounding(role: str, step: Step | None) -> tuple[str, ...]:
    """The rule ``round_<role>``, and whether it draws random bits."""
    random = f"static constexpr bool {role}_random = {cpp.literal(_random(step))};"
    if step is None:
        return (random,)
    given = f"bits, rand, U({step.spare}), {role}_grid()"
    value = rule(step.mode, step.lowered.needs, step.wrapping, given, False)
    call = f"{cpp.PREFIX} static U round_{role}(U bits, U rand) {{ return {value}; }}"
    return random, getter("Grid", f"{role}_grid", step.lowered.grid), call


def _random(step: Step | None) -> bool:
    return step is not None and step.mode.stochastic


def _modes(*steps: Step | None) -> tuple[Mode, ...]:
    return tuple(step.mode for step in steps if step is not None)


def struct(name: str, *lines: str) -> str:
    """A struct of these lines."""
    return f"struct {name} {{\n    " + "\n    ".join(lines) + "\n};"


@dataclass(frozen=True)
class ChainUnit(UnitBase):
    """Chains with these rounding steps; results of dtype ``real``."""

    product: Step | None
    inner: Step
    outer: Step
    tree: bool
    real: str
    lane: Lane = LANE64
    needs: tuple[str, ...] = ("CHAIN", "results", "chains")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes of the steps."""
        return _modes(self.product, self.inner, self.outer)

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        flags = {"products": self.product is not None, "tree": self.tree}
        return struct(
            name,
            f"using Real = {C_TYPES[self.real]};",
            *(f"static constexpr bool {k} = {cpp.literal(v)};" for k, v in flags.items()),
            *rounding("product", self.product),
            *rounding("inner", self.inner),
            *rounding("outer", self.outer),
        )

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        arrays = (("const F64*", "a"), ("const F64*", "b"), *AT, (f"{C_TYPES[self.real]}*", "out"))
        stream = (("const W32*", "keys"), ("U64", "first"), ("U64", "chunk"))
        body = f"chains<{name}>(a, b, a_at, b_at, out, keys, first, chunk, {MADE_SIZES});"
        return (Entry(f"chains_{name}", (*arrays, *stream, *SIZES), body),)


@dataclass(frozen=True)
class PlainUnit(UnitBase):
    """The rule ``kind`` of ``PlainTask`` on arrays of these dtypes."""

    kind: str
    length: int
    step: Step | None
    a: str
    b: str
    real: str
    clamp: bool = False
    lane: Lane = LANE64

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """Skeletons and groups of texts that the kernels call."""
        return ("CHAIN", "results", "chains", "integers" if self.kind == "integer" else "plain")

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The mode of the step, where there is one."""
        return _modes(self.step)

    def definition(self, name: str) -> str:
        """The struct ``name`` that the skeletons take."""
        types = ((n, C_TYPES[t]) for n, t in (("A", self.a), ("B", self.b), ("Real", self.real)))
        head = (
            *(f"using {n} = {t};" for n, t in types),
            f"static constexpr int length = {self.length};",
        )
        if self.kind == "integer":
            word = "using Word = W32;" if self.real == "int32" else "using Word = U64;"
            clamp = f"static constexpr bool clamp = {cpp.literal(self.clamp)};"
            return struct(name, *head, word, clamp)
        call = f"{self.kind}_chain<{name}>(a, b, n, count, c)"
        chain = f"const A* a, const B* b, U64 n, U64 count, Real c) {{ return {call}; }}"
        return struct(
            name, *head, *rounding("inner", self.step), f"{cpp.PREFIX} static auto chain({chain}"
        )

    def entries(self, name: str) -> tuple[Entry, ...]:
        """One kernel."""
        inputs = ((f"const {C_TYPES[t]}*", n) for n, t in (("a", self.a), ("b", self.b)))
        arrays = (*inputs, *AT, (f"{C_TYPES[self.real]}*", "out"))
        if self.kind == "integer":
            limits = (("I64", "low"), ("I64", "high"))
            body = f"integers<{name}>(a, b, a_at, b_at, out, low, high, {MADE_SIZES});"
            return (Entry(f"integers_{name}", (*arrays, *limits, *SIZES), body),)
        body = f"plain<{name}>(a, b, a_at, b_at, out, {MADE_SIZES});"
        return (Entry(f"{self.kind}_{name}", (*arrays, *SIZES), body),)
