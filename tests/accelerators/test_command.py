"""Law: ``numformats accelerators`` and ``numformats show`` say what the library says."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import numformats as nf
from numformats.cli import app
from tests.accelerators.chips import ALL, NAMES


def run(*arguments: str, columns: str = "200") -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": columns})
    return done.exit_code, done.stdout, done.stderr


def test_the_listing_has_every_preset_in_one_line() -> None:
    code, out, _ = run("accelerators")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    wanted = [" ".join(" ".join(chip.summary.values()).split()) for chip in ALL.values()]
    assert (code, lines[1:]) == (0, wanted)


def test_the_listing_fits_80_columns_and_keeps_names_whole() -> None:
    _, out, _ = run("accelerators", columns="80")
    assert max(map(len, out.splitlines())) <= 80
    firsts = [line.split()[0] for line in out.splitlines()[1:] if not line.startswith(" ")]
    assert firsts == NAMES


def test_the_listing_as_json() -> None:
    code, out, _ = run("accelerators", "--json")
    rows = json.loads(out)
    assert code == 0
    assert [row["name"] for row in rows] == NAMES
    assert [row["confidence"] for row in rows] == [chip.confidence for chip in ALL.values()]
    assert all(set(row) == {"name", "storage", "engine", "confidence"} for row in rows)


@pytest.mark.parametrize("name", NAMES[::10])
def test_show_explains(name: str) -> None:
    assert run("show", name) == (0, nf.accelerator(name).explain() + "\n", "")


@pytest.mark.parametrize(
    "name, message",
    [
        ("nvidia-h100-fp9", "did you mean 'nvidia-h100-fp8'"),
        ("what", "numformats accelerators"),
        ("none.toml", "No such file"),
    ],
)
def test_unknown_names_say_what_to_do(name: str, message: str) -> None:
    code, out, err = run("show", name)
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err
