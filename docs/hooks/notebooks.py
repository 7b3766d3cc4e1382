"""Notebooks as pages: run when the site is built, with what they print and draw."""

from __future__ import annotations

import base64
import pathlib
import tempfile
from typing import Any

import nbclient
import nbformat
from mkdocs.structure.files import File, Files

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "notebooks"


def executed(path: pathlib.Path) -> Any:
    """The notebook with its outputs; an error in a cell is an error of the build."""
    book = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        place = {"metadata": {"path": folder}}
        return nbclient.NotebookClient(book, timeout=120, resources=place).execute()


def as_markdown(book: Any) -> str:
    """Cells in order: text as it is, code with what it printed and drew."""
    return "\n\n".join(map(_cell, book.cells)) + "\n"


def _cell(cell: Any) -> str:
    if cell.cell_type == "markdown":
        return str(cell.source)
    printed = "".join(o.text for o in cell.outputs if o.output_type == "stream")
    text = [f"```text\n{printed.rstrip()}\n```"] if printed else []
    shown = [_output(o) for o in cell.outputs if o.output_type != "stream"]
    return "\n\n".join([f"```python\n{cell.source}\n```", *text, *shown])


def _output(output: Any) -> str:
    if "image/svg+xml" in output.data:
        picture = base64.b64encode(output.data["image/svg+xml"].encode()).decode()
        return f'<img class="plot" alt="plot" src="data:image/svg+xml;base64,{picture}">'
    return f"```text\n{output.data['text/plain']}\n```"


def on_files(files: Files, config: Any) -> None:
    """One page a notebook."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        text = as_markdown(executed(path))
        files.append(File.generated(config, f"notebooks/{path.stem}.md", content=text))
