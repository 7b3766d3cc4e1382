"""Law: ``docs/accelerators.md`` lists what there is."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

import numformats as nf
from tests.accelerators.table import table
from tests.conftest import ROOT

TEXT = (ROOT / "docs/accelerators.md").read_text()


def test_the_file_of_the_docs_can_be_read(tmp_path: pathlib.Path) -> None:
    found = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert found
    (tmp_path / "chip.toml").write_text(found[1])
    chip = nf.accelerator(tmp_path / "chip.toml")
    assert chip.scaling_of("weights").kind == "channel"
    assert str(chip.engine.accumulator) == "fp16"


def test_the_table_is_that_of_the_registry() -> None:
    assert table() in TEXT, "run python -m tests.accelerators.table and put its output in the docs"


@pytest.mark.parametrize("name", ["Accelerator", "Scaling", "accelerator"])
def test_public_names_are_documented(name: str) -> None:
    doc = getattr(nf.accelerators, name).__doc__
    assert all(part in doc for part in ("Args:", "Raises:", "Example:"))


def test_accelerators_are_loaded_when_used() -> None:
    code = (
        "import sys, numformats as nf; assert 'numformats.accelerators' not in sys.modules; "
        "assert {'accelerator', 'accelerators'} <= set(dir(nf)); nf.accelerator('max78000'); "
        "assert 'max78000' in nf.accelerators(); assert callable(nf.accelerators.load)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
