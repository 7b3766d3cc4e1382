"""The site's pages that are files of the project's root: README, changelog, how to contribute; and
the decision records in the navigation."""

from __future__ import annotations

import pathlib
import re
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}


def as_page(text: str) -> str:
    """A file of the root with its links as they are seen from ``docs``, and its pictures in it, so
    that they follow the page's palette."""
    for name, page in PAGES.items():
        text = text.replace(f"]({name}", f"]({page}")
    text = re.sub(r"!\[.*?\]\((docs/images/\w+\.svg)\)", _drawn, text)
    return text.replace("](docs/decisions)", "](decisions/index.md)").replace("](docs/", "](")


def _drawn(image: re.Match[str]) -> str:
    return f"<div>{(ROOT / image[1]).read_text()}</div>"


def decisions() -> list[pathlib.Path]:
    """The decision records in order."""
    return sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))


def title(path: pathlib.Path) -> str:
    """The first heading of a page."""
    return path.read_text().splitlines()[0].removeprefix("# ")


def on_config(config: Any) -> None:
    """Decision records go into the navigation by their own titles."""
    pages = ["decisions/index.md", *({title(p): f"decisions/{p.name}"} for p in decisions())]
    config.nav.insert(-1, {"Decisions": pages})


def on_files(files: Files, config: Any) -> None:
    """README, changelog and contributing guide become pages, and decisions get an index."""
    for name, page in PAGES.items():
        hidden = "---\nhide: [navigation]\n---\n\n" if page == "index.md" else ""
        text = hidden + as_page((ROOT / name).read_text())
        files.append(File.generated(config, page, content=text))
    rows = "".join(f"* [{title(p)}]({p.name})\n" for p in decisions())
    text = f"# Decisions\n\nWhy things are as they are, half a page each.\n\n{rows}"
    files.append(File.generated(config, "decisions/index.md", content=text))
