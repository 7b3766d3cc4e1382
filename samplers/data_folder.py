"""Where the files of a data set lie."""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "NUMFORMATS_DATA"


def data_folder(name: str, folder: str | Path | None = None) -> Path:
    """``folder``, or the folder ``name`` within the one that ``$NUMFORMATS_DATA`` names.

    Raises:
        ValueError: neither is given.
    """
    if folder is not None:
        return Path(folder)
    above = os.environ.get(VARIABLE)
    if not above:
        raise ValueError(
            f"the data set {name} is read from files, and it is not said where they lie; set "
            f"{VARIABLE} to the folder above {name}/, or give folder"
        )
    return Path(above) / name
