"""Law: the command says what the library says."""

from __future__ import annotations

import json

from typer.testing import CliRunner

import numformats as nf
from numformats.cli import app


def test_backends() -> None:
    done = CliRunner().invoke(app, ["backends"], env={"COLUMNS": "300"})
    assert done.exit_code == 0
    for name, found in nf.backends().items():
        row = next(line for line in done.stdout.splitlines() if line.strip().startswith(name))
        assert ("yes" if found.available else "no") in row.split()


def test_backends_as_json() -> None:
    done = CliRunner().invoke(app, ["backends", "--json"])
    wanted = {name: found._asdict() for name, found in nf.backends().items()}
    assert json.loads(done.stdout) == wanted
