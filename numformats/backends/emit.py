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

from numformats.core import quantum, threefry

CORE: tuple[Callable[..., Any], ...] = (
    quantum.significand,
    quantum.carrier_exponent,
    quantum.leading_exponent,
    quantum.raw_shift,
    quantum.dropped_bits,
    quantum.deep_fraction,
    quantum.fraction,
    quantum.last_bits,
    quantum.settle,
    quantum.compose,
    quantum.code_bits,
    threefry.rotate_add,
    threefry.four_rounds,
    threefry.threefry,
)
ROUND: tuple[Callable[..., Any], ...] = (quantum.round_bits, quantum.wrap_bits)  # need ``away``


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
