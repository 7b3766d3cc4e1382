"""Files that a kill at any moment leaves whole: what is there was written to its end."""

from __future__ import annotations

import contextlib
import json
import os
from io import FileIO
from pathlib import Path
from typing import Any

PARTIAL = ".partial"
FAILURES = (Exception, KeyboardInterrupt)
"""What leaves the process alive, so that it may try again; all else ends it as a kill does."""


def replace_file(path: Path, content: bytes) -> None:
    """All of ``content`` or what was there before; on disk when the call returns."""
    partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except FAILURES:
        partial.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def append_line(path: Path, line: str) -> None:
    """A line at the end of a file, in the place of a last one that was cut short.

    Where that fails, the file has the lines that it had.
    """
    new = not path.exists()
    # unbuffered, so that closing the file writes nothing after the line was taken back
    with path.open("ab" if new else "r+b", buffering=0) as file:
        end = 0 if new else file.read().rfind(b"\n") + 1
        try:
            _write_from(file, end, f"{line}\n".encode())
            if new:
                _sync_folder(path.parent)
        except FAILURES:
            file.truncate(end)
            with contextlib.suppress(OSError):
                os.fsync(file.fileno())
            raise


def _write_from(file: FileIO, end: int, content: bytes) -> None:
    file.seek(end)
    file.truncate()
    while content:
        content = content[file.write(content) :]
    os.fsync(file.fileno())


def whole_lines(path: Path) -> list[str]:
    """The lines of a file but for a last one without its end; none where there is no file."""
    if not path.is_file():
        return []
    return path.read_bytes().decode(errors="replace").split("\n")[:-1]


def replace_json(path: Path, content: dict[str, Any]) -> None:
    """`replace_file` with a JSON object."""
    replace_file(path, (json.dumps(content, indent=1) + "\n").encode())


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        ValueError: no such file, no JSON object in it, or a name that stands twice in one.
    """
    try:
        content = json.loads(path.read_text(), object_pairs_hook=_once)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path}: holds a {type(content).__name__}; wanted a JSON object")
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    if twice:
        raise ValueError(f"{twice[0]!r} stands twice in one object; keep one")
    return dict(pairs)


def remove_partials(folder: Path) -> None:
    """Throw away what a kill left half written; for the only writer of ``folder``."""
    for path in folder.glob(f"*{PARTIAL}"):
        path.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """A new name is on disk only when its folder is; Windows has no such call."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
