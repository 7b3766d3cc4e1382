"""From core texts to C++: a printer for the small subset of Python in which the rules are written.

A function becomes a template on its arguments (``auto``), so that a type that would widen or
narrow in silence does not compile: ``where``, ``minimum`` and ``maximum`` take equal types only,
and records are built with braces.
"""

import ast
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from numformats.backends.emit import text_of

OPERATORS: Mapping[type, str] = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.BitAnd: "&", ast.BitOr: "|",
    ast.BitXor: "^", ast.LShift: "<<", ast.RShift: ">>", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">",
    ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=", ast.And: "&&", ast.Or: "||", ast.Not: "!",
    ast.USub: "-", ast.Invert: "~",
}  # fmt: skip
RECORDS = ("Grid", "CodeSpec", "ScaleSpec", "DrawGrid", "ShortDraw", "Place")
PREFIX = "__device__ __forceinline__"


def _refused(node: ast.AST) -> ValueError:
    return ValueError(
        f"{type(node).__name__} ({ast.unparse(node)!r}) cannot be compiled for CUDA; write the "
        "function with assignments, if, return, calls of other texts and integer operators only"
    )


def literal(value: bool | int | float) -> str:
    """A Python constant as C++ source."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 1 << 31 else f"{value:#x}ull"
    return repr(float(value))


def _constant(node: ast.expr) -> bool | int | float | None:
    """The value of an expression of literals alone, as Python computes it (``1 / 3``)."""
    if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        return node.value
    if isinstance(node, ast.UnaryOp | ast.BinOp):
        parts = [node.operand] if isinstance(node, ast.UnaryOp) else [node.left, node.right]
        if all(_constant(part) is not None for part in parts):
            found: int | float = eval(compile(ast.Expression(node), "<constant>", "eval"))
            return found
    return None


def expression(node: ast.expr) -> str:
    """One expression as C++ source.

    Raises:
        ValueError: a construct outside the subset.
    """
    value = _constant(node)
    if value is not None:
        return literal(value)
    match node:
        case ast.Name():
            return node.id
        case ast.Attribute():
            return f"{expression(node.value)}.{node.attr}"
        case ast.BinOp() if type(node.op) in OPERATORS:
            return _joined(OPERATORS[type(node.op)], node.left, node.right)
        case ast.BoolOp():
            return _joined(OPERATORS[type(node.op)], *node.values)
        case ast.UnaryOp() if type(node.op) in OPERATORS:
            return f"({OPERATORS[type(node.op)]}{expression(node.operand)})"
        case ast.Compare() if all(type(op) in OPERATORS for op in node.ops):
            sides = [node.left, *node.comparators]
            pairs = zip(node.ops, sides, sides[1:], strict=False)
            found = [_joined(OPERATORS[type(op)], a, b) for op, a, b in pairs]
            return found[0] if len(found) == 1 else f"({' && '.join(found)})"
        case ast.IfExp():
            return (
                f"where({expression(node.test)}, {expression(node.body)}, "
                f"{expression(node.orelse)})"
            )
        case ast.Call(func=ast.Name(id=name), keywords=[]):
            given = ", ".join(map(expression, node.args))
            return f"{name}{{{given}}}" if name in RECORDS else f"{name}({given})"
        case ast.Tuple(elts=[first, second]):
            return f"Pair{{{expression(first)}, {expression(second)}}}"
    raise _refused(node)


def _joined(operator: str, *parts: ast.expr) -> str:
    return f"({f' {operator} '.join(map(expression, parts))})"


def _statement(node: ast.stmt, known: set[str]) -> str:
    match node:
        case ast.Return(value=ast.expr() as value):
            return f"return {expression(value)};"
        case ast.Assign(targets=[ast.Name(id=name)]):
            declare = "" if name in known else "auto "
            known.add(name)
            return f"{declare}{name} = {expression(node.value)};"
        case ast.Assign(targets=[ast.Tuple(elts=[ast.Name(id=a), ast.Name(id=b)])]) if not (
            {a, b} & known
        ):
            known.update((a, b))
            return f"auto [{a}, {b}] = {expression(node.value)};"
        case ast.If():
            branches = [" ".join(_statement(s, known) for s in part) for part in _parts(node)]
            return f"if ({expression(node.test)}) {{ {' } else { '.join(branches)} }}"
    raise _refused(node)


def _parts(node: ast.If) -> list[list[ast.stmt]]:
    return [node.body, node.orelse] if node.orelse else [node.body]


def _mark_locals(node: ast.FunctionDef) -> None:
    """Give arguments and variables a trailing underscore: ``signed`` is a word of C++."""
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name)]
    local = {arg.arg for arg in node.args.args}
    local |= {n.id for n in names if isinstance(n.ctx, ast.Store)}
    for name in names:
        name.id += "_" * (name.id in local)
    for arg in node.args.args:
        arg.arg += "_"


@cache
def function(source: Callable[..., Any], name: str | None = None) -> str:
    """A core text as a C++ function template, renamed to ``name``.

    Raises:
        ValueError: source that cannot be read, or a construct outside the subset.
    """
    node = ast.parse(text_of(source, name)).body[0]
    assert isinstance(node, ast.FunctionDef)
    _mark_locals(node)
    names = [arg.arg for arg in node.args.args]
    known = set(names)
    body = "\n".join(f"    {_statement(statement, known)}" for statement in node.body)
    given = ", ".join(f"auto {n}" for n in names)
    return f"{PREFIX} auto {node.name}({given}) {{\n{body}\n}}"
