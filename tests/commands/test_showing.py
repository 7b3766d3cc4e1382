"""Law: ``show`` and ``table`` say what formats are: against their published constants, and the
values that ``nf.values`` lists."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from typer.testing import CliRunner

import numformats as nf
from numformats.cli import app
from numformats.describing import binades, facts
from numformats.explaining import number_line

SMALL = {name: fmt for name, fmt in nf.formats().items() if fmt.bits <= 8}


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [  # OCP 8-bit Floating Point, tables 1 and 2; OCP Microscaling, table 1; NVFP4
        ("e4m3", ["s eeee mmm", "-448 to 448", "0.015625", "0.00195312", "bias 7"]),
        ("e5m2", ["s eeeee mm", "-57344 to 57344", "6.10352e-05", "Inf and NaN", "bias 15"]),
        ("mxfp4", ["32 along axis -1", "e8m0", "4.25 with", "-6 to 6", "s ee m"]),
        ("nvfp4", ["16 along axis -1", "e4m3", "float32 scale of the whole tensor", "4.5 with"]),
        ("fixed<8,4>", ["s iii ffff", "-8 to 7.9375", "0.0625 throughout"]),
        ("e8m0", ["eeeeeeee", "no zero", "256 codes", "5.87747e-39 to 1.70141e+38"]),
        ("binary8p3se", ["IEEE P3109", "-49152 to 49152"]),
    ],
)
def test_show_has_the_published_constants(name: str, words: list[str]) -> None:
    code, out, _ = run("show", name)
    assert code == 0
    missing = [word for word in words if word not in out]
    assert not missing, out
    assert max(map(len, out.splitlines())) <= 80


def test_show_as_json() -> None:
    found = json.loads(run("show", "e4m3", "--json")[1])
    assert (found["max"], found["bits"], found["nan"], found["infinities"]) == (
        448.0,
        8,
        True,
        False,
    )
    assert found["binades"][-1] == {"low": 256.0, "high": 512.0, "spacing": 32.0, "values": 7}
    assert json.loads(run("show", "nvidia-h100-fp8", "--json")[1])["name"] == "nvidia-h100-fp8"


@pytest.mark.parametrize("name", SMALL)
def test_binades_hold_the_positive_values(name: str) -> None:
    listed = [
        b.low + i * b.spacing for b in binades(name) for i in range(b.values)
    ]  # exact: small integers times powers of two
    positive = nf.values(name)
    assert listed == positive[positive > 0].tolist()
    assert facts(name).smallest == listed[0]
    assert facts(name).max == listed[-1]


def test_a_number_line_counts_values() -> None:
    bars, ends = number_line("fixed<4,2>", 16).splitlines()
    assert bars == "▁" * 16
    assert ends.split() == ["-2", "0", "1.75"]
    e2m1 = number_line("e2m1", 25).splitlines()[0]
    occupied = {math.floor((v + 6) / 12 * 25) for v in nf.values("e2m1")}
    assert {i for i, c in enumerate(e2m1) if c != " "} == {min(i, 24) for i in occupied}


@pytest.mark.parametrize("name", ["fixed<4,2>", "e4m3", "nvfp4", "e5m2"])
def test_table_has_every_code(name: str) -> None:
    rows = json.loads(run("table", name, "--json")[1])
    fmt = nf.parse(name)
    element = fmt.element if isinstance(fmt, nf.BlockFloat) else fmt
    assert [row["code"] for row in rows] == list(range(1 << element.bits))
    assert all(int(row["bits"].replace(" ", ""), 2) == row["code"] for row in rows)
    expected = nf.decode(np.arange(1 << element.bits), element)
    np.testing.assert_array_equal([float(row["value"]) for row in rows], expected)
    assert len(run("table", name)[1].splitlines()) == len(rows) + 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "e4m4"], "did you mean 'e4m3'"),
        (["show", "fixed<8>"], "fixed<"),
        (["table", "fp32"], "too many to print"),
        (["table", "e9"], "e9"),
    ],
)
def test_bad_input_is_one_line_with_exit_code_2(arguments: list[str], words: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_formats_beyond_float64() -> None:
    """Every code has a row; what float64 lacks is written as a power of two."""
    code, text, _ = run("table", "binary16p1se")
    rows = text.splitlines()[1:]
    assert (code, len(rows)) == (0, 1 << 16)
    assert rows[-2].endswith("-1.0 * 2**16382")
    assert rows[1].endswith("1.0 * 2**-16383")
    code, text, _ = run("show", "binary16p1se")
    assert code == 0
    assert "binary16p1se" in text
