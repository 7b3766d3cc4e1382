"""Law: every public name has a docstring and its place on exactly one page of the API."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from typing import Any

import pytest

import numformats
import numformats.torch
import samplers
from tests.conftest import ROOT

DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)
PATHS = [
    path
    for page in sorted((ROOT / "docs" / "api").glob("*.md"))
    for path in DIRECTIVE.findall(page.read_text())
]
PACKAGES = (numformats, numformats.torch, numformats.engines, numformats.accelerators, samplers)


def resolve(path: str) -> Any:
    """What a directive documents, as Python finds it."""
    try:
        return importlib.import_module(path)
    except ModuleNotFoundError:
        owner, _, name = path.rpartition(".")
        return getattr(resolve(owner), name)


DOCUMENTED = Counter(id(resolve(path)) for path in PATHS)
PUBLIC = [
    (package.__name__, name)
    for package in PACKAGES
    for name in package.__all__
    if getattr(package, name) not in PACKAGES  # their names stand for them
]


@pytest.mark.parametrize(("package", "name"), PUBLIC)
def test_a_public_name_is_on_one_page(package: str, name: str) -> None:
    thing = getattr(importlib.import_module(package), name)
    assert inspect.getdoc(thing), f"{package}.{name}"
    assert DOCUMENTED[id(thing)] == 1, f"{package}.{name} in docs/api"


def test_no_page_documents_what_is_not_public() -> None:
    public = {id(getattr(importlib.import_module(package), name)) for package, name in PUBLIC}
    assert [path for path in PATHS if id(resolve(path)) not in public] == []
