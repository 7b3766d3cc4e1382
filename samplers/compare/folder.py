"""The folder of one comparison: its options, and one file for each finished chain."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch

import numformats as nf
from samplers import durable
from samplers.compare.config import Config
from samplers.compare.rows import Row
from samplers.durable import replace_json

SCHEMA = 2


class ResultFolder:
    """Keeps what is finished: a second run with the same options goes on from there.

    Args:
        path: made if it is not there.
        config: of the comparison; a folder that holds another one is refused.
        fresh: throw away what an earlier comparison left here, and nothing else.

    Raises:
        ValueError: the folder holds the results of other options, a file that is no JSON, or what
            no comparison wrote in the places of its own.
    """

    def __init__(self, path: Path, config: Config, *, fresh: bool = False) -> None:
        self.path, self.config = path, config
        if path.exists() and not path.is_dir():
            raise ValueError(f"{str(path)!r} is a file; write a folder as --out")
        self._refuse_foreign()
        if fresh:
            for held in (*(path / "chains").glob("*.json"), path / "config.json"):
                held.unlink(missing_ok=True)
        self._refuse_other_options()
        (path / "chains").mkdir(parents=True, exist_ok=True)
        replace_json(path / "config.json", self._content())

    def _content(self) -> dict[str, Any]:
        """The options, and for each accelerator a digest: its file may change from run to run."""
        chips = {name: _digest(name) for name in self.config.accelerators}
        return {"schema": SCHEMA, **self.config.to_json(), **({"chips": chips} if chips else {})}

    def load(self, row: Row, chain: int) -> dict[str, Any] | None:
        """The outcome of a finished chain, or None."""
        path = self._chain_file(row, chain)
        return read_json(path) if path.is_file() else None

    def save(self, row: Row, chain: int, outcome: dict[str, Any]) -> None:
        """Keep the outcome of a finished chain; an interrupted write leaves nothing behind."""
        replace_json(self._chain_file(row, chain), outcome)

    def _chain_file(self, row: Row, chain: int) -> Path:
        return self.path / "chains" / f"{row.slug}-{chain}.json"

    def _refuse_foreign(self) -> None:
        """What no comparison wrote is neither added to nor thrown away."""
        config = self.path / "config.json"
        if config.is_file():
            foreign = [] if {"schema", "data"} <= read_json(config).keys() else [config]
        else:
            own = (self.path / "chains", self.path / "results.json")
            foreign = [p for p in own if p.is_file() or (p.is_dir() and any(p.iterdir()))]
        if foreign:
            raise ValueError(
                f"{str(foreign[0])!r} is there without the config.json of a comparison; write "
                "another --out"
            )

    def _refuse_other_options(self) -> None:
        path = self.path / "config.json"
        if not path.is_file():
            return
        held, wanted = read_json(path), self._content()
        differing = [name for name in wanted if held.get(name) != wanted[name]]
        if differing:
            changes = ", ".join(
                f"{name}={held.get(name)!r} (now {wanted[name]!r})" for name in differing
            )
            raise ValueError(
                f"{str(self.path)!r} holds a comparison with {changes}; "
                "write another --out, or --fresh to replace it"
            )


def _digest(name: str) -> str:
    return hashlib.sha256(repr(nf.accelerator(name)).encode()).hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions that decide the bits of a result."""
    from importlib.metadata import PackageNotFoundError, version

    found = {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__,
    }
    for name in ("numformats", "numba"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file.

    Raises:
        ValueError: no such file, or no JSON object in it.
    """
    try:
        return durable.read_json(path)
    except ValueError as error:
        raise ValueError(f"{error}; remove it, or write another --out") from error
