"""Law: the CuPy backend gives CuPy machine code made with our options, once, and launches it where
the caller's arrays are; seen on a stand-in for CuPy.
"""

from __future__ import annotations

import contextlib
import importlib
import pathlib
import sys
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from numformats.backends.cuda_source import Unit
from numformats.device import DeviceArray
from numformats.lanes import LANE32
from tests.nvrtc import compiled

UNIT = Unit(LANE32)


class CompileException(Exception):  # noqa: N818
    """As CuPy's."""


class Standing:
    """What stands for CuPy: notes what is compiled, loaded and launched."""

    def __init__(self) -> None:
        self.sources: list[str] = []
        self.options: list[tuple[str, ...]] = []
        self.loaded: list[bytes] = []
        self.launched: list[tuple[str, int, Any]] = []
        self.streams = [SimpleNamespace(ptr=0)]
        self.broken = False
        current = SimpleNamespace(getDevice=lambda: 0, memsetAsync=self.clear)
        self.cuda = SimpleNamespace(
            runtime=current,
            Device=lambda number: SimpleNamespace(compute_capability="90"),
            nvrtc=SimpleNamespace(getVersion=lambda: (13, 0)),
            compiler=SimpleNamespace(
                CompileException=CompileException, compile_using_nvrtc=self.compile
            ),
            get_current_stream=lambda: self.streams[-1],
            ExternalStream=self.external,
        )
        self.cleared: list[tuple[Any, int, int]] = []

    def compile(self, text: str, options: tuple[str, ...], arch: str) -> tuple[bytes, None]:
        if self.broken:
            raise CompileException("error: expected a ';'")
        self.sources.append(text)
        self.options.append(options)
        return f"machine code for {arch}".encode(), None

    def clear(self, pointer: int, value: int, size: int, stream: int) -> None:
        self.cleared.append(((pointer, size), value, size))

    def external(self, handle: int, device: int) -> Any:
        warnings.warn("ExternalStream is deprecated", DeprecationWarning, stacklevel=2)
        return self.entered(SimpleNamespace(ptr=handle))

    @contextlib.contextmanager
    def entered(self, stream: Any) -> Iterator[None]:
        self.streams.append(stream)
        yield
        self.streams.pop()

    def RawModule(self, *, path: str) -> Any:  # takes no source: CuPy would add -ftz=true to it
        self.loaded.append(pathlib.Path(path).read_bytes())

        def launch(name: str) -> Any:
            return lambda grid, block, args: self.launched.append(
                (name, self.streams[-1].ptr, (grid, block, args))
            )

        return SimpleNamespace(get_function=launch)


@pytest.fixture
def standing(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[Standing]:
    made = Standing()
    monkeypatch.setitem(sys.modules, "cupy", made)
    monkeypatch.setenv("NUMFORMATS_CACHE", str(tmp_path))
    name = "numformats.backends.cupy_cuda"
    monkeypatch.delitem(sys.modules, name, raising=False)
    yield made
    sys.modules.pop(name, None)


def backend() -> Any:
    return importlib.import_module("numformats.backends.cupy_cuda")


def words(stream: int = 0) -> None:
    out = DeviceArray(4096, 10, np.uint32, 0, stream, None)
    backend().words(out, (np.uint32(1), np.uint32(2)), 0)


def test_machine_code_is_made_once_and_kept(standing: Standing) -> None:
    words()
    words()
    sys.modules.pop("numformats.backends.cupy_cuda")  # another process, with the same folder
    words()
    assert len(standing.sources) == 1
    assert standing.loaded == [b"machine code for 90"] * 2
    assert [name for name, *_ in standing.launched] == ["words"] * 3


def test_its_options_keep_subnormals(standing: Standing) -> None:
    words()
    code = compiled(standing.sources[0], "compute_90", "ptx", standing.options[0]).decode()
    assert "fma.rn.f32" in code
    assert ".ftz" not in code


@pytest.mark.parametrize("handle", [0, 1, 2, 93_824_992])
def test_launches_go_to_the_callers_stream(standing: Standing, handle: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        words(handle)
    assert standing.launched[0][1] == handle
    assert len(standing.streams) == 1


def test_scratch_memory_of_torch_arrays_is_torchs(standing: Standing) -> None:
    """So that torch's graphs keep it, and its streams own it."""
    torch = pytest.importorskip("torch", reason="torch is missing; install the extra torch")
    x = torch.zeros(8)
    like = DeviceArray(x.data_ptr(), 8, np.float32, 0, 0, x)
    made = backend().zeros((3, 5), np.uint64, like)
    assert isinstance(made.owner, torch.Tensor)
    assert (made.pointer, made.owner.numel()) == (made.owner.data_ptr(), 120)
    assert (made.shape, made.dtype) == ((3, 5), np.dtype(np.uint64))
    assert standing.cleared == [((made.pointer, 120), 0, 120)]


def test_units_that_are_prepared_share_a_module(standing: Standing) -> None:
    backend().prepare([UNIT, UNIT])
    words()
    assert len(standing.sources) == len(standing.loaded) == 1


def test_a_kernel_that_does_not_compile_says_so(standing: Standing) -> None:
    standing.broken = True
    with pytest.raises(RuntimeError, match=r"NVRTC could not compile .* out is untouched.*';'"):
        words()
    assert not standing.launched
