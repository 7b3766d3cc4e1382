"""Two folders: rows by name, differences with their spread, what else differs."""

from __future__ import annotations

import json
import math
import shutil

import pytest

from tests.samplers.compare.pages import Page
from tests.samplers.compare.running import ACCELERATOR, changed, invoke, one_line


def content(folder):
    return json.loads((folder / "results.json").read_text())


def test_differences_are_second_minus_first_with_their_standard_error(finished, compared):
    first = content(finished.out)["rows"]
    found = json.loads((compared / "differences.json").read_text())
    names = [(row["sampler"], row["format"]) for row in first]
    assert [(r["sampler"], r["format"]) for r in found["rows"]] == names[:2] + names[3:]
    for number, row in enumerate(found["rows"]):
        own = next(
            r for r in first if (r["sampler"], r["format"]) == (row["sampler"], row["format"])
        )
        nll, error = row["difference"]["nll"], row["difference"]["error"]
        assert nll["mean"] == pytest.approx(0.01 * (number + 1) * (-1) ** number)
        assert nll["std"] == pytest.approx(math.sqrt(own["std"]["nll"] ** 2 / 2 + 0.5**2 / 2))
        assert error["mean"] == 0
        assert error["std"] == pytest.approx(own["std"]["error"])  # √(2·s²/2)
    assert found["only"] == [["cSGLD float32"], []]
    assert found["settings"] == {"seed": [0, 1]}
    assert list(found["versions"]) == ["torch"]


def test_the_page_shows_them(finished, compared):
    page = Page(compared / "report.html")
    assert page.sections == ["differences", "plots", "settings", "versions", "commands"]
    assert not page.open
    assert all(address.startswith(("#", "data:")) for address in page.addresses)
    words = " ".join(page.words)
    for text in ("Only in the first: cSGLD float32", "0.0.0", "+0.010", ACCELERATOR):
        assert text in words
    for score in ("error", "nll", "ece"):
        assert (compared / f"difference-{score}.png").is_file()


def test_single_chains_have_no_spread(finished, tmp_path):
    one = content(finished.out)
    for row in one["rows"]:
        row["std"] = dict.fromkeys(row["std"])
    (tmp_path / "results.json").write_text(json.dumps(one))
    out = tmp_path / "page"
    done = invoke("report", tmp_path, finished.out, "--out", out, "--json")
    found = json.loads(done.stdout)
    assert {row["difference"]["nll"]["std"] for row in found["rows"]} == {None}
    printed = invoke("report", tmp_path, finished.out, "--out", out).stdout
    assert printed.count("±") == 1  # the caption's


def test_folders_without_a_common_row_are_refused(finished, tmp_path):
    other = changed(content(finished.out))
    for row in other["rows"]:
        row["format"] = "e5m2"
    (tmp_path / "results.json").write_text(json.dumps(other))
    assert "share no row" in one_line(invoke("report", finished.out, tmp_path))


def test_the_page_of_a_comparison_is_not_overwritten(finished, tmp_path):
    shutil.copy(finished.out / "results.json", tmp_path)
    line = one_line(invoke("report", finished.out, tmp_path, "--out", tmp_path))
    assert "another --out" in line
