"""What a run keeps beside its samples: its specification, a lock and a checkpoint a chain."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import torch

from samplers.durable import read_json, replace_file, replace_json
from samplers.sample_index import chain_folder
from samplers.sealed import sealed, unsealed
from samplers.spec import ChainSpec
from samplers.store import SampleStore

SPEC = "spec.json"
CHECKPOINT = "checkpoint.pt"
COUNTS = {"done": int, "samples": int}
LOCK_SECONDS = 10


def refuse_other_spec(spec: ChainSpec) -> None:
    """A folder holds the chains of one specification.

    Raises:
        ValueError: the folder holds another one, whose differences are named, or samples that no
            run has left.
    """
    path = Path(spec.folder) / SPEC
    if not path.is_file():
        if len(SampleStore(spec.folder)):
            raise ValueError(
                f"{spec.folder!r} holds samples, but no {SPEC}: no run has left them; write "
                "another folder"
            )
        return
    held, wanted = flat(read_json(path)), flat(spec.identity())
    changes = [
        f"{name}={held.get(name)!r} (now {wanted.get(name)!r})"
        for name in sorted({*held, *wanted})
        if held.get(name) != wanted.get(name)
    ]
    if changes:
        raise ValueError(
            f"{spec.folder!r} holds a run with {', '.join(changes)}; write another folder, or the "
            "specification as it was"
        )


def keep_spec(spec: ChainSpec) -> None:
    """Write the specification, unless a chain of the folder has; of several at once, one does."""
    path = Path(spec.folder) / SPEC
    with filelock.FileLock(path.with_name("lock"), timeout=LOCK_SECONDS):
        if not path.is_file():
            replace_json(path, spec.identity())
    refuse_other_spec(spec)


def flat(data: Any, name: str = "") -> dict[str, Any]:
    """Nested mappings as one, with names like ``options.lr``."""
    if not isinstance(data, Mapping):
        return {name: data}
    found: dict[str, Any] = {}
    for key, value in data.items():
        found |= flat(value, f"{name}.{key}" if name else key)
    return found


@contextmanager
def only_writer(spec: ChainSpec) -> Iterator[None]:
    """One process at a time runs a chain; the system frees the lock of a process that dies.

    Raises:
        RuntimeError: another process has it.
    """
    folder = chain_folder(Path(spec.folder), spec.chain)
    folder.mkdir(exist_ok=True)
    lock = filelock.FileLock(folder / "lock", timeout=LOCK_SECONDS)
    try:
        with lock:
            yield
    except filelock.Timeout as error:
        raise RuntimeError(
            f"another process runs chain {spec.chain} of {spec.folder!r}; wait for it, or write "
            "another chain number"
        ) from error


def save_checkpoint(spec: ChainSpec, state: Mapping[str, Any]) -> None:
    """Replace a chain's checkpoint; the old one is there until the new one is whole."""
    file = io.BytesIO()
    torch.save(dict(state), file)
    replace_file(_checkpoint(spec), sealed(file.getvalue()))


def load_checkpoint(spec: ChainSpec) -> dict[str, Any] | None:
    """A chain's checkpoint, or None.

    Raises:
        ValueError: it cannot be read, or is not what was written.
    """
    path = _checkpoint(spec)
    if not path.is_file():
        return None
    with reading_checkpoint(spec):
        file = io.BytesIO(unsealed(path.read_bytes()))
        state: dict[str, Any] = torch.load(file, map_location=spec.device, weights_only=True)
        if {name: type(state[name]) for name in COUNTS} != COUNTS:
            raise ValueError(f"it has no whole numbers {' and '.join(COUNTS)}")
    return state


@contextmanager
def reading_checkpoint(spec: ChainSpec) -> Iterator[None]:
    """Whatever goes wrong within says that a checkpoint is damaged, but for too little memory.

    A damaged pickle raises errors of every kind.
    """
    path = _checkpoint(spec)
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{path} cannot be read: it is a damaged checkpoint, or of another model "
            f"({type(error).__name__}: {error}); restore it from a copy, or remove the folder "
            f"{path.parent} to begin the chain anew"
        ) from error


def _checkpoint(spec: ChainSpec) -> Path:
    return chain_folder(Path(spec.folder), spec.chain) / CHECKPOINT
