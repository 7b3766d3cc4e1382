"""Law: the page's example runs, and every public name has a docstring and a place on a page."""

from __future__ import annotations

import inspect
import re

import numformats.torch
from tests.conftest import ROOT

PAGE = (ROOT / "docs" / "torch.md").read_text()
PAGES = PAGE + "".join((ROOT / "docs" / f"{n}.md").read_text() for n in ("simulate", "models"))


def test_the_example_runs() -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/torch.md", "exec"), {})


def test_public_names() -> None:
    for name in numformats.torch.__all__:
        assert inspect.getdoc(getattr(numformats.torch, name)), name
        assert re.search(rf"\b{name}\b", PAGES), name
