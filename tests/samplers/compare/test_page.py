"""The page: all of its sections, nothing from elsewhere, and again from ``results.json`` alone."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.samplers.compare.pages import Page
from tests.samplers.compare.running import ACCELERATOR, FORMATS, invoke

SECTIONS = [
    "question", "results", "scores", "pareto", "reliability", "layers", "toy", "accelerators",
    "methods", "run",
]  # fmt: skip
PLOTS = [
    "error", "nll", "ece", "pareto-error", "pareto-nll", "reliability-float32",
    "reliability-fixed-8-5", "reliability-mxfp4", f"reliability-{ACCELERATOR}", "layers", "toy",
]  # fmt: skip


@pytest.fixture(scope="module")
def page(finished):
    return Page(finished.out / "report.html")


def test_has_every_section_once(page):
    assert page.sections == SECTIONS
    assert not page.open
    assert len(page.ids) == len(set(page.ids))


def test_needs_no_network(page):
    """No address but places in the page itself and data; a script or a font would be one."""
    assert page.addresses
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    assert not re.search(r"https?://|@import|url\((?!#)", page.text)


def test_says_what_was_asked_and_how_to_repeat_it(page, finished):
    words = " ".join(page.words)
    for text in (
        "64-8-10", "1,297 training and 500 test images", "samplers compare --formats", "Seed 0",
        "numformats", "chain k", *FORMATS, ACCELERATOR, "products simulated",
    ):  # fmt: skip
        assert text in words, text


def test_every_row_stands_in_the_table(page, finished):
    import json

    rows = json.loads((finished.out / "results.json").read_text())["rows"]
    heads = re.findall(r'<th scope="row">([^<]+)</th>\s*<td>([^<]+)</td>', page.text)
    wanted = [(r["sampler"], r["format"].replace("<", "&lt;").replace(">", "&gt;")) for r in rows]
    assert [head for head in heads if head in wanted] == wanted
    error = rows[0]["mean"]["error"]
    assert f'data-sort="{error}"' in page.text
    assert f"{100 * error:.2f} ± {100 * rows[0]['std']['error']:.2f}" in page.text


def test_plots_lie_beside_it_as_png_and_svg(finished, page):
    for name in PLOTS:
        assert (finished.out / f"{name}.png").read_bytes()[:4] == b"\x89PNG"
        assert "<svg" in (finished.out / f"{name}.svg").read_text()
    assert page.tags.count("svg") == len(PLOTS)


def test_report_writes_it_again_from_the_results_alone(finished, tmp_path, monkeypatch):
    shutil.copy(finished.out / "results.json", tmp_path)
    monkeypatch.setattr("numformats.accelerator", None)  # no presets needed
    done = invoke("report", tmp_path)
    assert done.exit_code == 0, done.output
    assert done.stdout == finished.printed
    for name in ("report.html", "layers.svg", "pareto-nll.svg", "toy.svg"):
        assert (tmp_path / name).read_bytes() == (finished.out / name).read_bytes()
