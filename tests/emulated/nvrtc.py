"""The CUDA C++ kernels as NVRTC compiles them, run on the host: its PTX, thread by thread."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterable
from typing import Any

from numformats.backends.cuda_launch import THREADS
from numformats.backends.cuda_source import Unit
from numformats.backends.cuda_text import source
from tests.emulated.building import Library
from tests.host_cuda import HostMachine, c_arguments
from tests.nvrtc import compiled

TARGET = "compute_90"


def ptx(text: str) -> str:
    """CUDA C++ as PTX, with the options of the CuPy backend."""
    return compiled(text, TARGET, "ptx").rstrip(b"\0 ").decode()


class Planted:
    """A change of PTX; ``counts`` says how often it was made in each text."""

    def __init__(self, before: str, after: str) -> None:
        self.before, self.after, self.counts = before, after, list[int]()

    def __call__(self, text: str) -> str:
        changed, count = re.subn(self.before, self.after, text)
        self.counts.append(count)
        return changed


class PtxMachine(HostMachine):
    """As the machine of the source, for what the compiler made of it."""

    def __init__(self, folder: pathlib.Path, backwards: bool = False, changed: Any = str) -> None:
        super().__init__(folder)
        self.backwards = backwards  #: whether the later threads of a block run first
        self.changed = changed  #: what becomes of the PTX before it runs
        self.ranges: dict[int, int] = {}

    def address(self, array: Any) -> int:
        start = super().address(array)
        size = getattr(array, "nbytes", None)
        if size is None:
            size = array.size * array.dtype.itemsize
        self.ranges[start] = max(size, self.ranges.get(start, 0))
        return start

    def prepare(self, units: Iterable[Unit], change: Any = lambda text: text) -> None:
        named = {f"K{i}": unit for i, unit in enumerate(dict.fromkeys(units))}
        library = Library(self.changed(ptx(change(source(named)))), self.folder)
        self.built |= {unit: (library, name) for name, unit in named.items()}

    def launch(self, unit: Unit, entry: int, blocks: int, args: tuple[Any, ...], like: Any) -> None:
        if unit not in self.built:
            self.prepare([unit])
        library, name = self.built[unit]
        kernel = unit.entries(name)[entry]
        given = c_arguments(unit, kernel, args)
        library.may_touch(list(self.ranges.items()))
        library.launch(library.entries[kernel.name], blocks, THREADS, given, self.backwards)
