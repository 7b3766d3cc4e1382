"""The CUDA kernels on the host: the emitted source compiled by g++ and run thread by thread."""

from __future__ import annotations

import ctypes
import hashlib
import pathlib
import subprocess
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from numformats.backends.cuda_launch import THREADS
from numformats.backends.cuda_source import Unit
from numformats.backends.cuda_tasks import CudaTasks
from numformats.backends.cuda_text import Entry, source

HEADER = pathlib.Path(__file__).with_name("host_cuda.h")
# No contraction: the device code is compiled without it too.
COMMAND = "g++ -std=c++20 -O1 -ffp-contract=off -fPIC -shared -w"
SHUFFLING = (
    "rows", "float_rows", "finite", "tops", "draws", "draw_rows", "draw_tiles", "langevin",
    "underdamped", "velocities",
)  # fmt: skip
SIMPLE = {
    "U64": ctypes.c_uint64,
    "I64": ctypes.c_int64,
    "F64": ctypes.c_double,
    "float": ctypes.c_float,
    "W32": ctypes.c_uint32,
}


def wrapper(entry: Entry) -> str:
    """A C function that runs all threads of ``entry``."""
    params = ", ".join(f"{kind} {name}" for kind, name in entry.params)
    names = ", ".join(name for _, name in entry.params)
    warps = "true" if entry.name.startswith(SHUFFLING) else "false"
    return (
        f'extern "C" void run_{entry.name}(unsigned grid, unsigned block, {params}) {{ '
        f"launch(grid, block, {warps}, [=] {{ {entry.name}({names}); }}); }}"
    )


def host_text(units: dict[str, Unit]) -> str:
    """The emitted source between the host's definitions and the wrappers."""
    entries = [entry for name, unit in units.items() for entry in unit.entries(name)]
    return "\n".join([HEADER.read_text(), source(units), *map(wrapper, entries)])


def build(text: str, folder: pathlib.Path) -> ctypes.CDLL:
    """The shared library of ``text``."""
    stem = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    if not stem.with_suffix(".so").exists():
        stem.with_suffix(".cpp").write_text(text)
        command = [*COMMAND.split(), str(stem.with_suffix(".cpp")), "-o", f"{stem}.so"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[:3000]
    return ctypes.CDLL(f"{stem}.so")


class HostMachine:
    """Runs launches on NumPy arrays. Units compiled ahead (``prepare``) share a library."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.built: dict[Unit, tuple[Any, str]] = {}

    def prepare(self, units: Iterable[Unit], change: Any = lambda text: text) -> None:
        """Compile ``units``, all of one lane and carrier, together."""
        named = {f"K{i}": unit for i, unit in enumerate(dict.fromkeys(units))}
        library = build(change(host_text(named)), self.folder)
        self.built |= {unit: (library, name) for name, unit in named.items()}

    def address(self, array: Any) -> int:
        return int(getattr(array, "pointer", 0) or array.ctypes.data)

    def zeros(self, n: int, dtype: Any, like: Any) -> Any:
        return np.zeros(n, dtype)

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        return np.full(shape, 99, dtype)

    def clear(self, array: Any) -> None:
        ctypes.memset(self.address(array), 0, array.size * np.dtype(array.dtype).itemsize)

    def upload(self, array: Any, like: Any) -> Any:
        return array

    def read(self, array: Any) -> Any:
        return array

    def launch(self, unit: Unit, entry: int, blocks: int, args: tuple[Any, ...], like: Any) -> None:
        if unit not in self.built:
            self.prepare([unit])
        library, name = self.built[unit]
        kernel = unit.entries(name)[entry]
        getattr(library, f"run_{kernel.name}")(
            ctypes.c_uint(blocks), ctypes.c_uint(THREADS), *c_arguments(unit, kernel, args)
        )


def as_launched(x: Any, kind: Any) -> Any:
    """An argument as CUDA reads it: a launch passes the bytes of ``x`` and converts nothing."""
    given = np.asarray(x)[()]
    real = kind in (ctypes.c_float, ctypes.c_double)
    assert isinstance(given, np.floating) == real, f"{x!r} ({type(x)}) is passed as {kind}"
    assert given.itemsize == ctypes.sizeof(kind), f"{x!r} ({type(x)}) is passed as {kind}"
    return kind(given.item())


def c_arguments(unit: Unit, kernel: Entry, args: tuple[Any, ...]) -> list[Any]:
    """What a kernel is given, as C has it."""
    types = [_c_type(kind, unit.lane.width) for kind, _ in kernel.params]
    return [as_launched(a, kind) for kind, a in zip(types, args, strict=True)]


def _c_type(kind: str, width: int) -> Any:
    if kind.endswith("*"):
        return ctypes.c_void_p
    return SIMPLE.get(kind) or (ctypes.c_uint32 if width == 32 else ctypes.c_uint64)


class Collector:
    """A machine that only notes which units a task needs."""

    def __init__(self) -> None:
        self.units: list[Unit] = []

    def address(self, array: Any) -> int:
        return int(getattr(array, "pointer", 0) or array.ctypes.data)

    def zeros(self, n: int, dtype: Any, like: Any) -> Any:
        return np.zeros(n, dtype)

    def empty(self, shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
        return np.full(shape, 99, dtype)

    def clear(self, array: Any) -> None:
        ctypes.memset(self.address(array), 0, array.size * np.dtype(array.dtype).itemsize)

    def upload(self, array: Any, like: Any) -> Any:
        return array

    def read(self, array: Any) -> Any:
        return array

    def launch(self, unit: Unit, entry: int, blocks: int, args: tuple[Any, ...], like: Any) -> None:
        self.units.append(unit)


def planting(name: str, before: str, after: str) -> Callable[[str], str]:
    """The change that plants an error in emitted text, which has to hold ``before``."""

    def change(text: str) -> str:
        assert before in text, f"nothing to plant {name} in"
        return text.replace(before, after)

    return change


def backend(machine: Any) -> CudaTasks:
    return CudaTasks(machine)
