"""Posterior samples on disk as a sequence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

from samplers.shard import Entry, Sample, read_shard


class Samples(Sequence[Sample]):
    """Samples on disk, read when asked for; chain after chain, in the order of the steps."""

    def __init__(self, folder: Path, entries: Sequence[Entry]) -> None:
        self.folder = folder
        self._entries = list(entries)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Chain, step, path, size and checksum of each sample."""
        return tuple(self._entries)

    @property
    def chains(self) -> tuple[int, ...]:
        """The numbers of the chains."""
        return tuple(sorted({entry.chain for entry in self._entries}))

    def chain(self, number: int) -> Samples:
        """The samples of one chain."""
        return Samples(self.folder, [e for e in self._entries if e.chain == number])

    def damaged(self) -> dict[Path, str]:
        """What is wrong with each file that cannot be read; reads all of them."""
        found = {}
        for entry in self._entries:
            try:
                read_shard(entry)
            except ValueError as error:
                found[entry.path] = str(error)
        return found

    def readable(self) -> Samples:
        """The samples whose files are whole; reads all of them."""
        bad = self.damaged()
        return Samples(self.folder, [e for e in self._entries if e.path not in bad])

    def __len__(self) -> int:
        return len(self._entries)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Samples: ...
    def __getitem__(self, index: int | slice) -> Sample | Samples:
        if isinstance(index, slice):
            return Samples(self.folder, self._entries[index])
        return read_shard(self._entries[index])

    def __iter__(self) -> Iterator[Sample]:
        return map(read_shard, self._entries)

    def __repr__(self) -> str:
        name, chains = type(self).__name__, len(self.chains)
        return f"{name}({str(self.folder)!r}): {len(self)} samples of {chains} chain(s)"
