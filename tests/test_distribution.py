"""Law: what describes the package says one thing, and a user's program type-checks against it."""

from __future__ import annotations

import os
import pathlib
import re
import subprocess
import sys
import tomllib
from typing import Any

import pytest

import numformats as nf
from tests.conftest import ROOT

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PROGRAM = (ROOT / ".ci/user_program.py").read_text()


def citation() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    return found


def test_the_version_has_one_source_and_a_semantic_form() -> None:
    assert PROJECT["project"]["dynamic"] == ["version"]
    assert PROJECT["tool"]["hatch"]["version"] == {"path": "numformats/__init__.py"}
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", nf.__version__)
    assert f"## {nf.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_citation_has_what_its_standard_asks_for() -> None:
    """Citation File Format 1.2.0: these keys are required."""
    found = citation()
    assert found["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= found.keys()
    assert all(author.keys() & {"name", "family-names"} for author in found["authors"])
    assert str(found["version"]) == nf.__version__


def test_the_licence_is_one() -> None:
    assert PROJECT["project"]["license"] == citation()["license"] == "Apache-2.0"
    assert PROJECT["project"]["license-files"] == ["LICENSE"]
    assert (
        "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    )


def test_what_is_packaged_exists() -> None:
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    for name in (*included, "numformats/py.typed", "samplers/py.typed"):
        assert (ROOT / name).exists(), name
    for name in ("tests", "docs", "constraints.txt", "Makefile", "CITATION.cff"):
        assert name in included


@pytest.mark.slow
@pytest.mark.parametrize("code, clean", [("", True), ("\nnf.quantize(1.0, 3)\n", False)])
def test_a_users_program_type_checks(code: str, clean: bool, tmp_path: pathlib.Path) -> None:
    """Control: a wrong argument is found."""
    pytest.importorskip("mypy", reason="mypy is not installed")
    (tmp_path / "program.py").write_text(PROGRAM + code)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "program.py"],
        cwd=tmp_path, env=os.environ | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert (done.returncode == 0) == clean, done.stdout
    assert clean or 'Argument 2 to "quantize"' in " ".join(done.stdout.split())
