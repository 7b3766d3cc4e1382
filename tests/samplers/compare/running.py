"""How the tests call the command."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from typer.testing import CliRunner, Result

from samplers.cli import app

FORMATS = ("fixed<8,5>", "mxfp4")
ACCELERATOR = "nvidia-h100-fp8"
SIZE = ["--steps", "40", "--samples", "5", "--chains", "2", "--hidden", "8"]
OPTIONS = [*SIZE, "--workers", "1", "--simulation", "fast"]
CHOSEN = ["--formats", " ".join(FORMATS), "--accelerators", ACCELERATOR]


class Finished(NamedTuple):
    """A finished comparison."""

    out: Path
    printed: str


def invoke(*arguments: Any) -> Result:
    """The command in this process, in a wide terminal."""
    return CliRunner().invoke(app, list(map(str, arguments)), env={"COLUMNS": "160"})


def one_line(result: Result) -> str:
    """The message of a refusal: exit code 2, one line on stderr, nothing on stdout."""
    assert result.exit_code == 2, result.output
    assert not result.stdout
    lines = re.sub(r"\x1b\[[0-9;]*m", "", result.stderr).strip().splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def changed(results: dict[str, Any]) -> dict[str, Any]:
    """Another comparison: each row's NLL and its spread are other ones, a row is missing, another
    seed and torch."""
    results = json.loads(json.dumps(results))
    results["config"]["seed"], results["versions"]["torch"] = 1, "0.0.0"
    del results["rows"][2]
    for number, row in enumerate(results["rows"]):
        row["mean"]["nll"] += 0.01 * (number + 1) * (-1) ** number
        row["std"]["nll"] = 0.5
    return results
