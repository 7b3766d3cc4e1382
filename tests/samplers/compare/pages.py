"""A page as its parts: sections, tables, addresses, ids."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

ADDRESSES = ("src", "href", "xlink:href", "action", "data", "poster", "srcset")
VOID = {"meta", "link", "br", "img", "hr", "input", "use", "path"}


class Page(HTMLParser):
    """Reads a page; ``open`` is empty when every element was closed."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text: str = path.read_text()
        self.sections: list[str] = []
        self.addresses: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(self.text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note ids and addresses."""
        found = dict(attrs)
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "section":
            self.sections.append(found["id"] or "")
        if "id" in found:
            self.ids.append(found["id"] or "")
        self.addresses += [found[name] or "" for name in ADDRESSES if name in found]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of SVG that ends where it starts."""
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        """Every end has its start."""
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Text outside of styles and scripts."""
        if self.open and self.open[-1] not in ("style", "script"):
            self.words.append(data)
