"""From core texts to source: one list of functions, printed as a module for a target.

The functions are taken as text (their source), stripped of decorators, annotations and docstrings,
and put after a prelude that binds the names of ``core/lane.py`` for the target and the lane. So
every target compiles the same rules.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

from numformats.core import (
    block_draw,
    carriers,
    decode,
    deviate,
    draw,
    langevin,
    normal,
    quantum,
    quotient,
    scale,
    scaled,
    short_draw,
    threefry,
    underdamped,
)
from numformats.core.lane import BARE, DEEP, GAPPED, ZEROLESS
from numformats.lanes import Lane
from numformats.rounding import Mode

CORE: tuple[Callable[..., Any], ...] = (
    quantum.carrier_exponent,
    quantum.significand,
    quantum.leading_exponent,
    quantum.raw_shift,
    quantum.dropped_bits,
    quantum.truncated_fraction,
    quantum.last_bits,
    quantum.with_sign,
    quantum.settle,
    quantum.compose,
    quantum.placed,
    quantum.code_bits,
    decode.finite_bits,
    decode.value_bits,
    threefry.rotate_add,
    threefry.four_rounds,
    threefry.threefry,
)
SCALE: tuple[Callable[..., Any], ...] = (
    scale.aligned,
    scale.chosen_exponent,
    scale.scale_exponent,
    scale.scale_code,
    scale.power_bits,
    scale.shifted,
    scale.scaled_grid,
    scale.needs_general,
    scale.liftable,
)  # need CARRIER_MAX
LIFT: tuple[Callable[..., Any], ...] = (scale.lifted, scale.let_down)  # of float32
NORMAL: tuple[Callable[..., Any], ...] = (
    normal.log_unit,
    normal.central,
    normal.tail,
    normal.tail_probability,
    normal.in_tail,
    normal.with_sign,
    normal.middle,
    normal.outer,
    normal.normal,
)
DEVIATE: tuple[Callable[..., Any], ...] = (
    deviate.log_single,
    deviate.central_factor,
    deviate.tail_factor,
    deviate.deviate,
)
DRAW: tuple[Callable[..., Any], ...] = (
    *DEVIATE,
    draw.field_of,
    draw.power_of,
    draw.inverse_of,
    draw.ratio_of,
    draw.field_above,
    draw.gap,
    draw.gap_beside,
    draw.reach,
    draw.reach_gap,
    draw.widest,
    draw.narrowest,
    draw.unit,
    draw.three_point,
    draw.wide_step,
    draw.forced_part,
    draw.portion,
    draw.narrow_step,
    draw.draw,
    draw.limit,
    draw.outside,
)
SHORT_DRAW: tuple[Callable[..., Any], ...] = (
    short_draw.short_variance,
    short_draw.is_short,
    short_draw.with_variance,
    short_draw.exponent_at,
    short_draw.two_to,
    short_draw.gap_above,
    short_draw.gap_onward,
    short_draw.gap_in_reach,
    short_draw.placed_in_gaps,
    short_draw.wide_gaps,
    short_draw.narrow_gaps,
    short_draw.either_gaps,
    short_draw.forces_more,
    short_draw.landed,
)  # beside DRAW, in the 32-bit lane
BLOCK_DRAW: tuple[Callable[..., Any], ...] = (
    block_draw.covering_exponent,
    block_draw.in_single,
    block_draw.scale_of,
    block_draw.in_block,
)  # beside SHORT_DRAW and SCALE
UNITS: tuple[Callable[..., Any], ...] = (
    scaled.not_a_number,
    scaled.rescaled,
    scaled.unit_mean,
    scaled.unit_variance,
)  # of any lane
LEVELS: tuple[Callable[..., Any], ...] = (
    scaled.magnitude_of,
    scaled.tensor_level,
    scaled.float_level,
    scaled.power_level,
)  # of the 64-bit lane, with a mode and SCALE
ELEMENTS: tuple[Callable[..., Any], ...] = (
    scaled.quotient,
    scaled.scaled_bits,
    scaled.unit_value,
)  # of the 64-bit lane, with a mode
QUOTIENT: tuple[Callable[..., Any], ...] = (
    quotient.divisor_of,
    quotient.kept_of,
    quotient.odd_quotient,
    quotient.reach_of,
    quotient.moderate,
    quotient.high_of,
    quotient.low_of,
    quotient.reciprocal_of,
    quotient.little_of,
    quotient.quotient_by_parts,
    quotient.value_by_parts,
)  # of the 32-bit lane
SHORT: tuple[Callable[..., Any], ...] = (
    quotient.short_level,
    quotient.level_by_parts,
    quotient.short_bits,
    quotient.bits_by_parts,
    quotient.scaled_bits,
    quotient.unit_value,
)  # with a mode; the last two in the place of ELEMENTS
STEP: tuple[Callable[..., Any], ...] = (
    langevin.settled,
    langevin.slope_of,
    langevin.drift,
    langevin.diffuse,
)
UNDERDAMPED: tuple[Callable[..., Any], ...] = (
    underdamped.kicked,
    underdamped.carried,
    underdamped.forced_in_gap,
    underdamped.forced_between,
    underdamped.share_of,
    underdamped.left_over,
    underdamped.velocity_scale,
    underdamped.in_units,
    underdamped.from_units,
    underdamped.spread_in_units,
)  # beside STEP
LOADS: dict[str, Callable[..., Any]] = {
    "float16": carriers.widen_float16,
    "bfloat16": carriers.widen_bfloat16,
    "float32": carriers.as_is,
    "float64": carriers.as_is,
}
STORES: dict[str, Callable[..., Any]] = {
    "float16": carriers.narrow_float16,
    "bfloat16": carriers.narrow_bfloat16,
    "float32": carriers.as_is,
    "float64": carriers.as_is,
}
NEAREST: dict[str, Callable[..., Any]] = {
    "float16": carriers.nearest_float16,
    "bfloat16": carriers.nearest_bfloat16,
    "float32": carriers.as_is,
}  # from any float32
_CONSTANTS = """\
U, I = np.uint{width}, np.int{width}
W32, U64, I64, F32, F64 = np.uint32, np.uint64, np.int64, np.float32, np.float64
SIG_BITS, EXP_BIAS, LAST, LEFT = I({sig}), I({bias}), I({width} - 1), U({width} - 1 - {sig})
ZERO, ONE, ALL, HALF = U(0), U(1), U(2**{width} - 1), U(2 ** ({width} - 1))
MAGNITUDE, HIDDEN, INF_BITS, NAN_BITS = U(2 ** ({width} - 1) - 1), U(1 << {sig}), U({inf}), U({nan})
DEEP, GAPPED, BARE, ZEROLESS = {needs}
"""

FRACTIONS: dict[str, Callable[..., Any]] = {
    "sticky": quantum.sticky_fraction,
    "truncated": quantum.truncated_fraction,
    "halves": quantum.halves_fraction,
}
Part = tuple[Callable[..., Any], str | None]


def mode_parts(mode: Mode) -> tuple[Part, ...]:
    """One rounding mode with the fraction that it reads, and rounding with it: each text and its
    new name."""
    fraction = FRACTIONS[mode.fraction]
    rounding = (quantum.rounded, quantum.round_bits, quantum.round_finite, quantum.wrap_bits)
    return ((mode.away, "away"), (fraction, "fraction"), *((f, None) for f in rounding))


def constants(lane: Lane) -> str:
    """Python source that binds the types and constants of ``core/lane.py`` for ``lane``."""
    return _CONSTANTS.format(
        width=lane.width, sig=lane.sig_bits, bias=lane.bias, inf=lane.inf, nan=lane.nan,
        needs=(DEEP, GAPPED, BARE, ZEROLESS),
    )  # fmt: skip


class _Strip(ast.NodeTransformer):
    """Removes what a target cannot compile: decorators, annotations, docstrings."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        node.decorator_list, node.returns = [], None
        for arg in node.args.args:
            arg.annotation = None
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return node


@cache
def text_of(function: Callable[..., Any], name: str | None = None) -> str:
    """Bare source of ``function``, renamed to ``name``.

    Raises:
        ValueError: the source cannot be read (a lambda, or typed at a prompt).
    """
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source)
    except (OSError, SyntaxError, TypeError) as error:
        raise ValueError(
            f"the source of {function!r} cannot be read ({error}); write it as a def in a file"
        ) from None
    node = next((n for n in tree.body if isinstance(n, ast.FunctionDef)), None)
    if node is None:
        raise ValueError(f"{function!r} is not a def; write it as a def in a file")
    node.name = name or node.name
    return ast.unparse(ast.fix_missing_locations(_Strip().visit(node)))


def module_text(
    prelude: str, functions: Iterable[tuple[Callable[..., Any], str | None, str]]
) -> str:
    """Source of a module: the prelude, then each ``(function, new name, decorator line)``."""
    parts = [prelude]
    for function, name, decorator in functions:
        parts.append(f"{decorator}\n{text_of(function, name)}".lstrip("\n"))
    return "\n\n".join(parts) + "\n"
