"""Law: every public name has a docstring and a place on a page."""

from __future__ import annotations

import inspect
import re

import numformats.torch
from tests.conftest import ROOT

PAGES = "".join((ROOT / "docs" / f"{n}.md").read_text() for n in ("torch", "simulate", "models"))


def test_public_names() -> None:
    for name in numformats.torch.__all__:
        assert inspect.getdoc(getattr(numformats.torch, name)), name
        assert re.search(rf"\b{name}\b", PAGES), name
