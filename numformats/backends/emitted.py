"""Emitted Python modules on disk: named by the hash of their text, so that a second process loads
machine code and an edited rule can never meet a stale kernel.

The folder is ``$NUMFORMATS_CACHE``, else ``~/.cache/numformats``, else a temporary folder.
"""

import hashlib
import importlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from numformats.backends.underdamped_task import SIDES

PACKAGE = "numformats_kernels"
logger = logging.getLogger(__name__)


def cache_folder() -> Path:
    """The folder of emitted kernels, made when missing."""
    wanted = os.environ.get("NUMFORMATS_CACHE") or os.path.expanduser("~/.cache/numformats")
    user = getattr(os, "getuid", int)()
    for folder in (Path(wanted), Path(tempfile.gettempdir()) / f"numformats-{user}"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                logger.debug("kernels are cached in %s", folder)
                return folder
        except OSError as error:
            logger.warning("kernels cannot be cached in %s: %s", folder, error)
    return Path(tempfile.mkdtemp(prefix="numformats-"))


def emit(label: str, imports: tuple[str, ...], text: str, version: str) -> str:
    """Write (where missing) the module that holds ``text`` after its imports; returns its name.
    ``version`` is that of the compiler."""
    source = "\n".join([*(f"from {PACKAGE}.{name} import *" for name in imports), text])
    digest = hashlib.sha256((source + version).encode()).hexdigest()[:20]
    path = _folder() / f"{label}_{digest}.py"
    if not path.exists():
        put_whole(path, source.encode())
    return path.stem


def put_whole(path: Path, content: bytes) -> None:
    """Write a file that other processes see whole or not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    os.replace(temporary, path)


def imported(module: str, names: str) -> str:
    """The import of ``names`` of an emitted module."""
    return f"from {PACKAGE}.{module} import {names}\n"


def both_ways(modules: Iterable[str]) -> str:
    """Imports that give rounding in two modes, by their modules, the names of ``SIDES``."""
    return "".join(
        imported(module, f"round_bits as bits_{side}")
        for side, module in zip(SIDES, modules, strict=True)
    )


def load(name: str) -> Any:
    """The emitted module of this name."""
    importlib.invalidate_caches()
    return importlib.import_module(f"{PACKAGE}.{name}")


@cache
def _folder() -> Path:
    """The cache folder, importable as the package of emitted modules."""
    folder = cache_folder()
    package = ModuleType(PACKAGE)
    package.__path__ = [str(folder)]
    sys.modules[PACKAGE] = package
    return folder
