"""Law: ``numformats bench`` measures what it is asked for."""

import json

from typer.testing import CliRunner

from numformats.cli import app


def test_rows_are_those_asked_for() -> None:
    arguments = ["--format", "e4m3", "--format", "mxfp4", "--elements", "64", "--rounds", "1"]
    done = CliRunner().invoke(app, ["bench", *arguments, "--rounding", "stochastic", "--json"])
    rows = json.loads(done.stdout)
    assert [(r["format"], r["rounding"]) for r in rows] == [
        ("e4m3", "stochastic"), ("mxfp4", "stochastic"),
    ]  # fmt: skip
    assert all(row["share of copy"] > 0 for row in rows)


def test_an_unknown_rounding_is_refused() -> None:
    done = CliRunner().invoke(app, ["bench", "--rounding", "up", "--elements", "8"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "up" in done.stderr
