"""``docs/compare.md``: its commands are command lines, its file is one, its tables are complete."""

from __future__ import annotations

import json
import re
import shlex

import pytest
import typer.main

from samplers.cli import app
from samplers.compare.config import Config
from samplers.compare.config_file import read_config
from samplers.compare.rows import rows
from tests.conftest import ROOT

TEXT = (ROOT / "docs/compare.md").read_text()
LINES = re.findall(r"^    (samplers .*)$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_its_command_lines_are_understood(line):
    _, name, *words = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]
    assert command.make_context(name, words).params["out"]


def test_there_are_command_lines():
    assert {line.split()[1] for line in LINES} == {"compare", "report"}


def test_its_file_is_a_configuration(tmp_path):
    (block,) = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    (tmp_path / "study.yaml").write_text(block)
    config = Config(**read_config(tmp_path / "study.yaml"))
    assert config.formats == ("fixed<8,5>", "mxfp4", "nvfp4")
    assert [row.name for row in rows(config)] == [
        "SGD float32", "SGLD float32", "cSGLD float32", "VC SGLD-L fixed<8,5>", "VC SGLD-L mxfp4",
        "VC SGLD-L nvfp4", "SGLD nvidia-h100-fp8",
    ]  # fmt: skip


def test_it_names_every_file_and_every_part(finished):
    for path in finished.out.iterdir():
        name = "reliability-*" if path.name.startswith("reliability-") else path.name
        stem = name.rsplit(".", 1)[0] if name.endswith((".png", ".svg")) else name
        assert f"`{stem}`" in TEXT or f"`{stem}/`" in TEXT, path.name
    results = json.loads((finished.out / "results.json").read_text())
    for name in [*results, *(n for n in results["rows"][0] if n != "mean")]:
        assert f"`{name}`" in TEXT, name
