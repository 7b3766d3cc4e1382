"""Law: README and every page of ``docs`` show what happens: their Python runs, and the values and
output shown are those of this version."""

from __future__ import annotations

import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from numformats.rounding import MODES
from samplers.threads import threads
from tests.conftest import ROOT
from tests.pages.page import application, blocks, mentioned, run

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NOT_RUN: dict[str, int] = {}  # how many blocks may say so, by reason


@pytest.fixture(autouse=True)
def _a_place_of_its_own(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages write files, register rounding modes and set threads; their arrays suit one thread."""
    monkeypatch.chdir(tmp_path)
    modes = dict(MODES)
    with threads(1):
        yield
    MODES.clear()
    MODES.update(modes)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_shows_what_happens(page: pathlib.Path) -> None:
    run(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_block_is_overlooked(page: pathlib.Path) -> None:
    """Indented fences, and those without a kind, would not be run."""
    text = page.read_text()
    assert text.count("```") == sum(2 + 2 * (b.printed is not None) for b in blocks(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_that_are_only_named_exist(page: pathlib.Path) -> None:
    for command, name, options in mentioned(page.read_text()):
        known: Any = typer.main.get_command(application(command))
        assert name in known.commands, f"{command} {name}"
        has = {
            option
            for param in known.commands[name].params
            for option in param.opts + param.secondary_opts
        }
        assert {*options} <= has | {"--help"}, f"{command} {name}"


def test_named_commands_are_found() -> None:
    text = (
        "    samplers compare --a \\\n    --b\n\n`numformats show e4m3 --json`; numformats list\n"
    )
    assert mentioned(text) == [
        ("samplers", "compare", ["--a", "--b"]),
        ("numformats", "show", ["--json"]),
    ]


def test_what_is_not_run_is_counted() -> None:
    found = Counter(b.reason for page in PAGES for b in blocks(page.read_text()) if b.reason)
    assert found == NOT_RUN


@pytest.mark.parametrize(
    "text",
    [
        "```python\n1 + 1  # → 3\n```\n",
        "```python\nprint(2)\n```\n",
        "```python\nprint(2)\n```\n\n```text\n3\n```\n",
        "```python\nx = 1  # → 1\n```\n",
        "```python\nassert 1 > 2\n```\n",
        "<!-- figures within 10 % -->\n```python\nprint(2)\n```\n\n```text\n3\n```\n",
        "<!-- figures within 10 % -->\n```python\nprint('a 2')\n```\n\n```text\nb 2\n```\n",
        "```console\n$ numformats show e2m1\nwrong\n```\n",
        "```sh\nnumformats show e2m1\n```\n",
    ],
)
def test_pages_that_are_wrong_are_found(tmp_path: pathlib.Path, text: str) -> None:
    (tmp_path / "page.md").write_text(text)
    with pytest.raises(AssertionError):
        run(tmp_path / "page.md")


def test_blocks_share_names_and_modes_need_no_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "page.md").write_text(
        "```python\nimport numpy as np\nfrom numformats import mode, quantize\n@mode\n"
        "def never(kept, frac, neg, rand, spare):\n    return frac < frac\n```\nText.\n\n"
        '```python\nquantize(np.float32([1.9]), "fixed<8,0>", "never").item()  # → 1.0\n'
        "```\n<!-- not run: a reason -->\n```python\n1 / 0\n```\n"
    )
    assert run(tmp_path / "page.md") == 2
