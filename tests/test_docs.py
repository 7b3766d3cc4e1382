"""Docstrings: examples print what they say, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import numformats as nf

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(nf.__path__, "numformats.")
    if not module.name.endswith(".loops")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name: str) -> None:
    """Doctests of every module."""
    outcome = doctest.testmod(importlib.import_module(name), extraglobs={"np": np})
    assert outcome.failed == 0


@pytest.mark.parametrize("name", nf.__all__)
def test_public_names_have_docstrings(name: str) -> None:
    """What ``numformats`` exports says what it is."""
    value = getattr(nf, name)
    assert inspect.getdoc(value) or name == "Format", name
