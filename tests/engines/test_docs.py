"""Law: public engines are documented, and engines are loaded when they are used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import numformats as nf
from tests.conftest import ROOT


def classes() -> list[str]:
    found = (name for name in nf.engines.__all__ if isinstance(getattr(nf.engines, name), type))
    return [name for name in found if name not in ("Engine", "Unit")]


@pytest.mark.parametrize("name", classes())
def test_engines_are_documented(name: str) -> None:
    doc = getattr(nf.engines, name).__doc__
    assert all(part in doc for part in ("Args:", "Promise:", "Raises:", "Example:", "Reference:"))
    assert f"`{name}" in (ROOT / "docs/engines.md").read_text()


def test_engines_are_loaded_when_used() -> None:
    code = (
        "import sys, numformats as nf; assert 'numformats.engines' not in sys.modules; "
        "assert {'engine', 'engines', 'matmul'} <= set(dir(nf)); nf.matmul; "
        "assert nf.engines.matmul is nf.matmul"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
