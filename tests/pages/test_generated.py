"""Law: pages made from registries hold every entry once, and the figures of rounding modes are
those of closed forms."""

from __future__ import annotations

import importlib
import math
from types import ModuleType
from typing import Any

import pytest

import numformats as nf
from tests.conftest import ROOT

ROOT12, ROOT3, ROOT6 = math.sqrt(1 / 12), math.sqrt(1 / 3), math.sqrt(1 / 6)
N = 3
# mean error above and below zero, RMS error; None: no short closed form
LAWS: dict[str, tuple[float, float, float | None]] = {
    "nearest_even": (0, 0, ROOT12),
    "nearest_away": (0, 0, ROOT12),
    "toward_zero": (-1 / 2, 1 / 2, ROOT3),
    "toward_positive": (1 / 2, 1 / 2, ROOT3),
    "toward_negative": (-1 / 2, -1 / 2, ROOT3),
    "nearest_up": (0, 0, ROOT12),  # ties alone tell it from the two above
    "to_odd": (0, 0, ROOT3),
    "stochastic": (0, 0, ROOT6),
    "stochastic_a": (-(2.0 ** -(N + 1)), 2.0 ** -(N + 1), None),  # floor(frac 2^N)
    "stochastic_b": (0, 0, None),
    "stochastic_c": (0, 0, None),
    "stochastic_odd": (0, 0, None),
}


@pytest.fixture(autouse=True)
def _hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mkdocs", reason="the extra docs is not installed")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "hooks"))


@pytest.fixture
def accelerator_pages() -> ModuleType:
    return importlib.import_module("accelerator_pages")


def test_every_mode_has_a_law() -> None:
    assert set(nf.roundings()) <= set(LAWS)


@pytest.mark.parametrize("name", nf.roundings())
def test_errors_of_a_mode(name: str) -> None:
    law = importlib.import_module("rounding_law")
    found, (above, below, square) = law.errors(nf.roundings()[name]), LAWS[name]
    assert found.mean_above_zero == pytest.approx(above, abs=1e-3)
    assert found.mean_below_zero == pytest.approx(below, abs=1e-3)
    assert square is None or found.root_mean_square == pytest.approx(square, abs=1e-3)
    assert law.RANDOM_BITS == N


def test_every_mode_is_on_its_page() -> None:
    page = importlib.import_module("rounding_page").page()
    for name in nf.roundings():
        assert page.count(f"\n## {name} ") == 1
        assert page.count(f"| [`{name}`](#{name}) |") == 1
    assert page.count("<svg") == len(nf.roundings())


def test_every_accelerator_is_on_one_page(accelerator_pages: ModuleType) -> None:
    text = "".join(accelerator_pages.pages().values())
    assert text.count("\n## ") == len(nf.accelerators())
    for name in nf.accelerators():
        assert text.count(f"\n## {name}\n") == 1
    assert {accelerator_pages.maker(name) for name in nf.accelerators()} == {
        *accelerator_pages.MAKERS
    }


@pytest.mark.parametrize("name", ["nvidia-h100-fp8", "fpga-ap-fixed-16-6", "max78000-w4"])
def test_facts_are_all_that_explain_says(accelerator_pages: ModuleType, name: str) -> None:
    chip: Any = nf.accelerator(name)
    told = accelerator_pages.facts(chip)
    said = chip.explain().split("\n\n", 1)[1]
    heads = {line.split()[0] for line in said.splitlines() if not line.startswith(" ")}
    assert {name for names in told.values() for name in names} == heads - {"Sources"}
    assert chip.confidence in " ".join(told)
