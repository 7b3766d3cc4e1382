"""NVRTC without a driver: PTX or machine code of CUDA C++, as the CuPy backend asks for it."""

from __future__ import annotations

from typing import Any

import pytest

from numformats.backends.cuda_code import OPTIONS


def compiled(
    text: str, target: str, kind: str = "cubin", options: tuple[str, ...] = OPTIONS
) -> bytes:
    """What NVRTC makes of ``text`` for ``target``; skips where there is no NVRTC.

    Raises:
        RuntimeError: with NVRTC's log.
    """
    nvrtc: Any = pytest.importorskip(
        "cuda.bindings.nvrtc", reason="cuda-bindings is missing; install the extra test-cuda"
    )
    error, program = nvrtc.nvrtcCreateProgram(text.encode(), b"kernel.cu", 0, [], [])
    assert error == 0, error
    given = [option.encode() for option in (f"-arch={target}", *options)]
    if nvrtc.nvrtcCompileProgram(program, len(given), given)[0] != 0:
        size, get = nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog
        raise RuntimeError(f"NVRTC says: {_fetched(program, size, get).decode()}")
    name = f"nvrtcGet{kind.upper()}"
    return _fetched(program, getattr(nvrtc, f"{name}Size"), getattr(nvrtc, name))


def _fetched(program: Any, size: Any, get: Any) -> bytes:
    found = bytearray(size(program)[1])
    get(program, found)
    return bytes(found)
