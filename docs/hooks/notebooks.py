"""Notebooks as pages: run when the site is built, with what they print and draw."""

from __future__ import annotations

import pathlib
from typing import Any

import nbclient
import nbformat
from mkdocs.structure.files import File, Files

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "notebooks"


def executed(path: pathlib.Path) -> Any:
    """The notebook with its outputs; an error in a cell is an error of the build."""
    book = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(book, timeout=120, resources={"metadata": {"path": FOLDER}})
    return client.execute()


def as_markdown(book: Any) -> str:
    """Cells in order: text as it is, code with what it printed and drew."""
    return "\n\n".join(map(_cell, book.cells)) + "\n"


def _cell(cell: Any) -> str:
    if cell.cell_type == "markdown":
        return str(cell.source)
    return "\n\n".join([f"```python\n{cell.source}\n```", *map(_output, cell.outputs)])


def _output(output: Any) -> str:
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```"
    if "image/svg+xml" in output.data:
        return f'<figure markdown="0">{output.data["image/svg+xml"]}</figure>'
    if "image/png" in output.data:
        return f'<img alt="plot" src="data:image/png;base64,{output.data["image/png"].strip()}">'
    return f"```text\n{output.data['text/plain']}\n```"


def on_files(files: Files, config: Any) -> None:
    """One page a notebook, beside a link to the notebook itself."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        text = as_markdown(executed(path))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
