"""Law: the notebooks run from a clean kernel, and are kept without outputs."""

from __future__ import annotations

import importlib
import json
import pathlib

import pytest

from tests.conftest import ROOT

BOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks() -> None:
    assert len(BOOKS) >= 2


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path: pathlib.Path) -> None:
    code = [c for c in json.loads(path.read_text())["cells"] if c["cell_type"] == "code"]
    assert code
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in code)


@pytest.mark.parametrize("path", BOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    pytest.importorskip("nbclient", reason="the extra docs is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "hooks"))
    notebooks = importlib.import_module("notebooks")
    book = notebooks.executed(path)
    shown = [o for cell in book.cells for o in cell.get("outputs", [])]
    assert any("image/svg+xml" in o.get("data", {}) for o in shown)
    assert "stderr" not in {o.get("name") for o in shown}
    assert notebooks.as_markdown(book).count("<img") >= 2
