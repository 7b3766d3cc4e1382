"""The tensors of a file, one at a time, and files of them."""

import json
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

KINDS = (".npy", ".npz", ".safetensors")


def checked_kind(path: Path) -> str:
    """The suffix of ``path``.

    Raises:
        ValueError: a file of another kind.
    """
    if path.suffix not in KINDS:
        raise ValueError(f"{path}: files of kind {path.suffix!r}; write one of {', '.join(KINDS)}")
    return path.suffix


def read(path: Path) -> Iterator[tuple[str, Any]]:
    """Names and arrays; of .npy as memory maps, else loaded one by one (.safetensors as torch
    tensors).

    Raises:
        ValueError, OSError: a file that is damaged or missing.
    """
    kind = checked_kind(path)
    _check_there(path)
    try:
        if kind == ".npy":
            yield "", np.load(path, mmap_mode="r", allow_pickle=False)
        elif kind == ".npz":
            with np.load(path, allow_pickle=False) as found:
                yield from found.items()
        else:
            yield from _safetensors(path)
    except (EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except ValueError as error:
        if "pickle" in str(error) or "Python objects" in str(error):
            raise ValueError(f"{path} is no {kind} file, or one of Python objects") from None
        raise ValueError(f"{path} cannot be read: {error}") from None


def _check_there(path: Path) -> None:
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")


def _safetensors(path: Path) -> Iterator[tuple[str, Any]]:
    with _opened(path) as found:
        for name in found.keys():  # noqa: SIM118 - it is no mapping
            yield name, found.get_tensor(name)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A .safetensors file, whose header is looked at."""
    try:
        from safetensors import SafetensorError, safe_open
    except ImportError:
        raise ValueError("safetensors is missing; write pip install 'numformats[torch]'") from None
    _check_there(path)
    try:
        with safe_open(path, framework="pt") as found:
            yield found
    except SafetensorError as error:
        raise ValueError(f"{path} cannot be read: {error}") from None


@contextmanager
def named(path: Path, name: str) -> Iterator[None]:
    """Within the context errors say which tensor of which file they are about."""
    try:
        yield
    except (TypeError, ValueError) as error:
        of = f", tensor {name!r}" if name else ""
        raise ValueError(f"{path}{of}: {error}") from None


class Writer:
    """A file that is filled tensor by tensor: .npy as a memory map, .npz entry by entry,
    .safetensors as a memory map of the layout of ``source``, whose tensors have the same names,
    dtypes and shapes. It appears under its name when it is whole."""

    def __init__(self, path: Path, source: Path | None = None) -> None:
        self.path, self.source, self.kind = path, source, checked_kind(path)
        self.part = path.with_name(f".{path.stem}.part{path.suffix}")
        self.archive: zipfile.ZipFile | None = None
        self.mapped: Mapped | None = None
        self.place: Any = None  # the array of an .npy file

    def __enter__(self) -> "Writer":
        with self._or_nothing():
            if self.kind == ".npz":
                self.archive = zipfile.ZipFile(self.part, "w", allowZip64=True)
            elif self.kind == ".safetensors" and self.source is not None:
                self.mapped = Mapped(self.part, self.source)
        return self

    def like(self, name: str, x: Any) -> Any:
        """Memory for a result like ``x``."""
        if self.kind == ".npy":
            self.place = np.lib.format.open_memmap(self.part, "w+", x.dtype, x.shape)
            return self.place
        if self.mapped is not None:
            return self.mapped.tensor(name, x)
        return np.empty(x.shape, x.dtype)

    def put(self, name: str, x: Any) -> None:
        """Keep a tensor."""
        if self.archive is not None:
            with self._entry(self.archive, name) as entry:
                np.lib.format.write_array(entry, np.asanyarray(x), allow_pickle=False)
        elif self.mapped is not None:
            self.mapped.put(name, x)
        elif x is self.place:
            x.flush()
        else:
            np.save(self.part, x)

    @contextmanager
    def bytes(self, name: str, count: int) -> Iterator[Any]:
        """An entry of ``count`` bytes of an .npz file, to be written piece by piece."""
        assert self.archive is not None
        about = {"descr": "|u1", "fortran_order": False, "shape": (count,)}
        with self._entry(self.archive, name) as entry:
            np.lib.format.write_array_header_2_0(entry, about)
            yield entry

    def _entry(self, archive: zipfile.ZipFile, name: str) -> Any:
        if f"{name}.npy" in archive.namelist():
            raise ValueError(
                f"{self.path} would hold two entries {name!r}; rename the tensor of the file given"
            )
        return archive.open(f"{name}.npy", "w", force_zip64=True)

    @contextmanager
    def _or_nothing(self) -> Iterator[None]:
        """Where this fails, no part is left."""
        try:
            yield
        except BaseException:
            self.part.unlink(missing_ok=True)
            raise

    def __exit__(self, failed: Any, *rest: Any) -> None:
        if self.archive is not None:
            self.archive.close()
        if self.mapped is not None:
            self.mapped.file.flush()
        if failed is not None:
            self.part.unlink(missing_ok=True)
            return
        with self._or_nothing():
            self.part.replace(self.path)


class Mapped:
    """A .safetensors file with the header of ``source``, whose data are still to be filled in: the
    header is its length in 8 bytes, then JSON with a ``data_offsets`` pair for every tensor."""

    def __init__(self, path: Path, source: Path) -> None:
        with _opened(source), source.open("rb") as file:
            length = file.read(8)
            text = file.read(int.from_bytes(length, "little"))
        with path.open("wb") as file:
            file.write(length + text)
            file.truncate(source.stat().st_size)
        self.places = json.loads(text)
        self.file = np.memmap(path, np.uint8, "r+")
        self.data = self.file[8 + len(text) :]

    def tensor(self, name: str, x: Any) -> Any:
        """The place of a tensor in the file, as a tensor like ``x``."""
        torch = sys.modules["torch"]  # which x brings along
        start, end = self.places[name]["data_offsets"]
        if start == end:
            return x.new_empty(x.shape)
        return torch.frombuffer(self.data[start:end], dtype=x.dtype).reshape(x.shape)

    def put(self, name: str, x: Any) -> None:
        """Copy a tensor to its place, unless it lies there."""
        place = self.tensor(name, x)
        if place.data_ptr() != x.data_ptr():
            place.copy_(x)
