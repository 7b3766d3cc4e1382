"""The names of a folder of samples: its marker, its chains, and a line for each sample."""

from __future__ import annotations

import json
import re
from pathlib import Path

from samplers.durable import PARTIAL, read_json, whole_lines
from samplers.shard import Entry

MARKER = "store.json"
KIND = {"kind": "samples of numformats.samplers", "schema": 1}
INDEX = "index.jsonl"


def chain_folder(folder: Path, chain: int) -> Path:
    """Where a chain keeps its files."""
    return folder / f"chain-{chain:05d}"


def refuse_foreign(folder: Path) -> None:
    """A folder that holds something else, or samples of another schema, is not written to."""
    if (folder / MARKER).is_file():
        held = read_json(folder / MARKER)
        if held != KIND:
            raise ValueError(
                f"{folder / MARKER} says {held}, wanted {KIND}: another program or another version "
                "wrote it; write another folder"
            )
    elif folder.exists() and (
        not folder.is_dir() or any(path.suffix != PARTIAL for path in folder.iterdir())
    ):
        raise ValueError(
            f"{str(folder)!r} is no folder of samples: it holds something, but no {MARKER}; "
            "write an empty or a new folder"
        )


def read_entries(folder: Path) -> list[Entry]:
    """What the indexes of all chains name, chain after chain."""
    chains = {
        int(index.parent.name.removeprefix("chain-")): index
        for index in folder.glob(f"chain-*/{INDEX}")
        if re.fullmatch(r"chain-[0-9]{5,}", index.parent.name)  # no copies that people make
    }
    return [
        _entry(chains[chain], chain, number, line)
        for chain in sorted(chains)
        for number, line in enumerate(whole_lines(chains[chain]), start=1)
    ]


def _entry(index: Path, chain: int, number: int, line: str) -> Entry:
    try:
        held = json.loads(line)
        path = index.parent / held["file"]
        return Entry(chain, int(held["step"]), path, int(held["bytes"]), str(held["sha256"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{index}: line {number} is damaged ({error}); remove the line to read the other "
            "samples without the one that it names"
        ) from error


def index_line(entry: Entry) -> str:
    """The line of an index that names ``entry``."""
    held = {"step": entry.step, "file": entry.path.name, "bytes": entry.bytes}
    return json.dumps({**held, "sha256": entry.sha256})
