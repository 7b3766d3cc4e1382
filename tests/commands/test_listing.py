"""Law: the command says what the library says."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
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


def test_list_has_every_named_format() -> None:
    done = CliRunner().invoke(app, ["list"], env={"COLUMNS": "200"})
    names = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert names == list(nf.formats())


def test_list_of_a_kind_as_json() -> None:
    done = CliRunner().invoke(app, ["list", "--kind", "block", "--json"])
    found = json.loads(done.stdout)
    assert set(found) == {n for n, f in nf.formats().items() if isinstance(f, nf.BlockFloat)}
    assert found["mxfp4"]["bits_per_value"] == 4.25


def test_an_unknown_kind_is_refused() -> None:
    done = CliRunner().invoke(app, ["list", "--kind", "posit"])
    assert (done.exit_code, done.stdout) == (2, "")
    assert "float, fixed, block" in done.stderr


@pytest.mark.parametrize("command", [["list"], ["list", "--json"], ["show", "fp64", "--json"]])
def test_a_reader_that_has_seen_enough_ends_it_in_silence(command: list[str]) -> None:
    start = [sys.executable, "-c", "from numformats.cli import app; app()", *command]
    pipe = subprocess.PIPE
    with subprocess.Popen(start, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
