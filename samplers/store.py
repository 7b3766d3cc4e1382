"""A folder that posterior samples are written to: one file a sample, one index a chain."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from samplers.durable import (
    FAILURES,
    append_line,
    remove_partials,
    replace_file,
    replace_json,
    whole_lines,
)
from samplers.integers import integer
from samplers.precision import parse_format
from samplers.sample_index import (
    INDEX,
    KIND,
    MARKER,
    chain_folder,
    index_line,
    read_entries,
    refuse_foreign,
)
from samplers.samples import Samples
from samplers.shard import Entry, digest, shard_bytes
from samplers.storable import check_sample


class SampleStore(Samples):
    """Samples in a folder, one safetensors file each, low-precision tensors as packed codes.

    Reading gives back every bit and dtype. A sample is there once its line stands in the index of
    its chain, written after the file itself is on disk: a kill at any moment leaves whole samples
    only. Several processes may append, each to chains of its own; what others append is seen on
    the next opening.

    Args:
        folder: made with the first sample.
        formats: format of each tensor that lies on a grid, by its name or a glob; the first match
            wins. A tensor that takes no less room as codes is kept as it is.

    Raises:
        TypeError: ``formats`` is no mapping.
        ValueError: the folder holds something else, or an index that cannot be read.

    Example:
        >>> import tempfile, torch
        >>> store = SampleStore(tempfile.mkdtemp(), formats={"*weight": "e2m1"})
        >>> store.append({"weight": torch.tensor([0.5, -6.0])}, step=10)
        >>> store[0]["weight"]
        tensor([ 0.5000, -6.0000])
    """

    def __init__(self, folder: str | Path, formats: Mapping[str, Any] | None = None) -> None:
        path = Path(folder)
        if formats is not None and not isinstance(formats, Mapping):
            raise TypeError(
                f"formats={formats!r}; write a mapping of names or globs to formats, for example "
                '{"*weight": "e4m3"}'
            )
        self.formats = {
            pattern: parse_format(fmt) if isinstance(fmt, str) else fmt
            for pattern, fmt in (formats or {}).items()
        }
        refuse_foreign(path)
        super().__init__(path, read_entries(path))

    def append(
        self, sample: Mapping[str, torch.Tensor], *, chain: int = 0, step: int | None = None
    ) -> None:
        """Keep a sample; it is on disk when the call returns.

        Args:
            sample: tensors of any dtype, for example a state dict of a model.
            chain: its number.
            step: of the chain, above that of the sample before; the next number where None.

        Raises:
            ValueError: an empty sample, a step that is not above the last one, a tensor whose name
                (with ``#``) or dtype could not be read again, or a chain that another store has
                appended to.
            OSError: the disk is full, for example; the store is as it was.
        """
        chain, step = self._next(chain, step)
        check_sample(sample)
        content = shard_bytes(sample, self._formats_of(sample))
        folder = chain_folder(self.prepare(), chain)
        self._check_alone(chain, folder)
        folder.mkdir(exist_ok=True)
        path = folder / f"{step:08d}.safetensors"
        entry = Entry(chain, step, path, len(content), digest(content))
        try:
            replace_file(path, content)
            append_line(folder / INDEX, index_line(entry))
        except FAILURES:
            path.unlink(missing_ok=True)
            raise
        after = sum(e.chain <= chain for e in self._entries)
        self._entries.insert(after, entry)

    def forget_after(self, step: int, *, chain: int) -> None:
        """Throw away a chain's samples of later steps, and what a kill left half written."""
        folder = chain_folder(self.folder, chain)
        if not folder.is_dir():
            return
        remove_partials(folder)
        kept = [e for e in self._entries if e.chain == chain and e.step <= step]
        if kept or (folder / INDEX).exists():
            lines = "".join(f"{index_line(entry)}\n" for entry in kept)
            replace_file(folder / INDEX, lines.encode())
        for path in set(folder.glob("*.safetensors")) - {e.path for e in kept}:
            path.unlink()
        self._entries = [e for e in self._entries if e.chain != chain or e.step <= step]

    def prepare(self) -> Path:
        """Make the folder what `SampleStore` opens, without a sample yet."""
        if not (self.folder / MARKER).is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            replace_json(self.folder / MARKER, KIND)
        return self.folder

    def _next(self, chain: int, step: int | None) -> tuple[int, int]:
        chain = integer("chain", chain)
        last = max((e.step for e in self._entries if e.chain == chain), default=-1)
        step = last + 1 if step is None else integer("step", step)
        if chain < 0 or step <= last:
            raise ValueError(
                f"chain={chain}, step={step} after step {last}; write a chain >= 0 and ascending "
                "steps"
            )
        return chain, step

    def _check_alone(self, chain: int, folder: Path) -> None:
        """Refuse to write over what another store has appended meanwhile."""
        known, found = len(self.chain(chain)), len(whole_lines(folder / INDEX))
        if found != known:
            raise ValueError(
                f"chain {chain} of {str(self.folder)!r} has {found} samples, and this store knows "
                f"{known}: another one has written to it; open the store again, or write another "
                "chain number"
            )

    def _formats_of(self, sample: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        found = {}
        for name in sample:
            matching = (p for p in self.formats if p == name or fnmatch.fnmatchcase(name, p))
            pattern = next(matching, None)
            if pattern is not None and self.formats[pattern] is not None:
                found[name] = self.formats[pattern]
        return found
