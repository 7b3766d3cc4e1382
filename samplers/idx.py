"""The idx file format of MNIST: read arrays, plain or gzipped, and refuse what is damaged."""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

UNSIGNED_BYTE = 0x08


def find_idx(folder: Path, name: str) -> Path:
    """The file ``name`` or ``name.gz`` in ``folder``.

    Raises:
        ValueError: there is no such folder or no such file.
    """
    if not folder.is_dir():
        raise ValueError(
            f"{str(folder)!r} is not a folder; wanted one that holds {name} or {name}.gz: "
            "write --folder DIR, or set NUMFORMATS_DATA to the folder above mnist/"
        )
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.is_file():
            return candidate
    present = ", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "nothing"
    raise ValueError(f"{str(folder)!r} holds {present}; wanted {name} or {name}.gz")


def read_idx(path: Path, ndim: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes with ``ndim`` dimensions in an idx file.

    Raises:
        ValueError: unreadable, truncated, too long, or of another type or shape than wanted.

    Reference: LeCun, Cortes, Burges, The MNIST database, "File formats".
    """
    content = _content(path)
    header = 4 + 4 * ndim
    if len(content) < header or content[:2] != b"\0\0":
        raise ValueError(
            f"{path}: begins with {content[:4].hex() or 'nothing'}; "
            f"wanted an idx file (0000 08 {ndim:02x})"
        )
    if content[2] != UNSIGNED_BYTE or content[3] != ndim:
        raise ValueError(
            f"{path}: holds idx type 0x{content[2]:02x} with {content[3]} dimension(s); "
            f"wanted unsigned bytes (0x08) with {ndim}"
        )
    shape = tuple(int(n) for n in np.frombuffer(content, ">u4", ndim, offset=4))
    if len(content) - header != math.prod(shape):
        raise ValueError(
            f"{path}: {len(content) - header} bytes of data; its header says {shape}, "
            f"that is {math.prod(shape)}: the file is damaged, fetch it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}); wanted a whole idx file, gzipped if it ends in .gz"
        ) from error
