"""Law: every example in a docstring does what it says."""

from __future__ import annotations

import doctest
import importlib.util
import pkgutil

import pytest

import numformats
import samplers

NEEDS = {"numformats.backends.cupy_cuda": "cupy", "numformats.backends.numba_cuda": "numba_cuda"}
MODULES = [
    module.name
    for package in (numformats, samplers)
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")
    if not module.name.endswith("__main__")
    and importlib.util.find_spec(NEEDS.get(module.name, "numformats"))
]


@pytest.mark.parametrize("name", ["numformats", "samplers", *MODULES])
def test_docstrings(name: str) -> None:
    module = importlib.import_module(name)
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


def test_some_docstring_has_an_example() -> None:
    finder = doctest.DocTestFinder()
    counts = (len(t.examples) for n in MODULES for t in finder.find(importlib.import_module(n)))
    assert sum(counts) >= 5
