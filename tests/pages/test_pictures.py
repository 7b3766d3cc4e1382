"""Law: the picture of README is the one that its script draws, and shows what it says."""

from __future__ import annotations

import importlib
from types import ModuleType

import numpy as np
import pytest

from tests.conftest import ROOT


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "hooks"))
    return importlib.import_module("picture")


def test_the_committed_picture_is_the_drawn_one(drawing: ModuleType) -> None:
    assert drawing.PATH.read_text() == drawing.picture(), "run python docs/hooks/picture.py"


def test_nearest_stalls_and_stochastic_is_right_on_average(drawing: ModuleType) -> None:
    """Each step of a stochastic walk has variance below a quarter of a gap squared; with 1000
    weights the mean of the last step lies within 5 standard errors but for 6e-7 of seeds, and
    the seeds are fixed. Rounding up, a wrong variant, lies outside."""
    exact = drawing.STEP * drawing.STEPS
    bound = 5 * np.sqrt(drawing.STEPS / 4 / drawing.WEIGHTS) * 2.0**-5
    assert not drawing.walk("nearest_even").any()
    assert abs(drawing.walk("stochastic")[-1].mean() - exact) < bound
    assert abs(drawing.walk("toward_positive")[-1].mean() - exact) > bound
