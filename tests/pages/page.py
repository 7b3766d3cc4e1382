"""A page of Markdown as a program: its Python blocks run in order in one namespace, its commands
are given to the command line, and both must print what the page shows."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import linecache
import pathlib
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import typer
from typer.testing import CliRunner

FENCE = re.compile(
    r"(?:^<!-- (?:not run: (?P<reason>.*?)|figures within (?P<percent>\d+) %) -->\n+)?"
    r"^```(?P<kind>\w+)\n(?P<text>.*?)^```$"
    r"(?:(?:\n|prints)*^```text\n(?P<printed>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-?\d+)?")
COMMANDS = ("numformats", "samplers")
SHOWN = "# → "


@dataclass(frozen=True)
class Block:
    """A fenced block: its kind, first line, why it is not run, how far figures may lie off (where
    torch's sums depend on the processor), and the output shown after it."""

    kind: str
    text: str
    line: int
    reason: str | None
    percent: int
    printed: str | None


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, each with the ```text block that follows it."""
    for found in FENCE.finditer(text):
        line = text.count("\n", 0, found.start("text")) + 1
        percent = int(found["percent"] or 0)
        yield Block(found["kind"], found["text"], line, found["reason"], percent, found["printed"])


def is_command(block: Block) -> bool:
    """Whether a block has a line that runs one of the project's commands."""
    shell = block.kind in ("console", "sh", "bash")
    return shell and bool(re.search(rf"^(\$ )?({'|'.join(COMMANDS)})\b", block.text, re.MULTILINE))


def mentioned(text: str) -> list[tuple[str, str, list[str]]]:
    """Command, subcommand and options of every command in indented code or between backticks."""
    pattern = rf"(?:^    |`)({'|'.join(COMMANDS)}) ([a-z]+)\b((?:\\\n|[^`\n#])*)"
    found = re.findall(pattern, text, re.MULTILINE)
    return [(app, name, re.findall(r"--[a-z][a-z-]*", rest)) for app, name, rest in found]


def run(path: pathlib.Path) -> int:
    """Run what a page shows; the number of blocks that ran."""
    ran, names = 0, {"__name__": "page"}
    for block in blocks(path.read_text()):
        if block.reason:
            continue
        where = f"{path.name}, line {block.line}"
        if block.kind == "python":
            ran += 1
            same(run_python(block, where, names), block.printed or "", where, block.percent)
        elif is_command(block):
            ran += 1
            assert block.kind == "console", f"{where}: commands that run are in ```console blocks"
            run_console(block, where)
    return ran


def run_python(block: Block, where: str, names: dict[str, Any]) -> str:
    """Run a block statement by statement, check every value shown, and return what was printed."""
    name = f"<{where}>"  # unique, so that inspect finds the source of functions defined here
    lines = block.text.splitlines(keepends=True)
    linecache.cache[name] = (len(block.text), None, lines, name)
    with contextlib.redirect_stdout(io.StringIO()) as out:
        for statement in ast.parse(block.text).body:
            shown = _shown(statement, lines)
            if isinstance(statement, ast.Expr) and shown is not None:
                code = compile(ast.Expression(statement.value), name, "eval")
                same(repr(eval(code, names)), shown, f"{where} + {statement.lineno - 1}")
            else:
                assert shown is None, f"{where}: only an expression has a value to show"
                exec(compile(ast.Module([statement], []), name, "exec"), names)
    return out.getvalue()


def _shown(statement: ast.stmt, lines: list[str]) -> str | None:
    last = lines[(statement.end_lineno or 1) - 1]
    return last.split(SHOWN)[1].strip() if SHOWN in last else None


def run_console(block: Block, where: str) -> None:
    """Give every ``$ command`` of a block to the command line."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        same(_command(shlex.split(command)), shown, f"{where}: {command}")


def application(command: str) -> typer.Typer:
    """The Typer application of a command."""
    import numformats.cli
    import samplers.cli

    return {"numformats": numformats.cli.app, "samplers": samplers.cli.app}[command]


def _command(words: list[str]) -> str:
    done = CliRunner().invoke(application(words[0]), words[1:], env={"COLUMNS": "100"})
    assert done.exit_code in (0, 2), done.output
    return done.output


def same(found: str, shown: str, where: str, percent: int = 0) -> None:
    """Assert that a page shows what happened; ``...`` on a page stands for anything."""
    if percent:
        _close(found, shown, where, percent / 100)
        return
    found, shown = ("\n".join(map(str.rstrip, t.strip("\n").splitlines())) for t in (found, shown))
    equal = doctest.OutputChecker().check_output(shown, found, doctest.ELLIPSIS)
    assert equal, f"{where} shows\n{shown}\nbut this happened:\n{found}"


def _close(found: str, shown: str, where: str, share: float) -> None:
    """Assert that the words are equal, and every figure within a share of the one shown."""
    words, figures = zip(
        *((NUMBER.sub("0", " ".join(t.split())), NUMBER.findall(t)) for t in (found, shown)),
        strict=True,
    )
    pairs = [(float(a), float(b)) for a, b in zip(*figures, strict=False)]
    equal = words[0] == words[1] and all(abs(a - b) <= share * max(a, b) for a, b in pairs)
    assert equal, f"{where} shows\n{shown}\nbut this happened:\n{found}"
