"""Backends by name. Adding one is one file and one line here."""

import difflib
import importlib
import logging
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)


class Availability(NamedTuple):
    """Whether a backend can run here, and why not."""

    available: bool
    reason: str


class Backend(NamedTuple):
    """Which memory a backend works in, and how to find out whether it can run."""

    memory: str  #: "host" or "cuda"
    probe: Callable[[], Availability]


def _missing(error: Exception, remedy: str) -> Availability:
    """Not there, or broken: what a package meets while it loads, such as a library that it needs,
    takes no other backend along."""
    if isinstance(error, ImportError):
        return Availability(False, f"{error.name or error} cannot be imported; {remedy}")
    return Availability(False, f"it does not load ({error!r}); {remedy}")


def _with_numba() -> Availability:
    try:
        importlib.import_module("numba")
    except ImportError as error:
        return _missing(error, "pip install numba")
    return Availability(True, "")


def _with_cupy() -> Availability:
    try:
        cupy = importlib.import_module("cupy")
    except Exception as error:
        return _missing(error, "pip install 'numformats[cuda13]' (CUDA 12: cuda12)")
    try:
        devices = cupy.cuda.runtime.getDeviceCount()
    except Exception as error:  # the driver is missing or too old; CuPy says which
        return Availability(False, f"CUDA does not start ({error}); install a newer NVIDIA driver")
    return Availability(devices > 0, "" if devices else "no CUDA device is visible")


def _with_numba_cuda() -> Availability:
    try:
        importlib.import_module("numba_cuda")
        cuda = importlib.import_module("numba.cuda")
        if cuda.is_available():
            return Availability(True, "")
    except Exception as error:  # it looks for NVIDIA's compiler, too
        return _missing(error, "pip install 'numformats[cuda13]' (CUDA 12: cuda12)")
    cause = " ".join(str(cuda.cuda_error() or "no CUDA device is visible").split())
    return Availability(False, f"CUDA does not start ({cause}); install a newer NVIDIA driver")


_BACKENDS: dict[str, Backend] = {
    "numba_cpu": Backend("host", _with_numba),
    "reference": Backend("host", lambda: Availability(True, "")),
    "cupy_cuda": Backend("cuda", _with_cupy),
    "numba_cuda": Backend("cuda", _with_numba_cuda),
}


def backends() -> dict[str, Availability]:
    """What can run here, and why the rest cannot."""
    return {name: backend.probe() for name, backend in _BACKENDS.items()}


def _first(memory: str) -> str:
    """The first backend for this memory that can run."""
    reasons: list[str] = []
    for name, backend in _BACKENDS.items():
        if backend.memory == memory:
            found = backend.probe()
            if found.available:
                if reasons:
                    logger.warning("%s arrays go to %s; %s", memory, name, "; ".join(reasons))
                return name
            reasons.append(f"{name}: {found.reason}")
    raise ValueError(f"no backend for {memory} arrays can run here; {'; '.join(reasons)}")


def select(name: str, memory: str = "host") -> Any:
    """The backend module called ``name``, for arrays in ``memory``; ``"auto"`` is the first that
    can run.

    Raises:
        ValueError: unknown name (with the closest match), a backend that cannot run here (with
            the reason), or one for other memory.
        TypeError: something else for a name.
    """
    if not isinstance(name, str):
        raise TypeError(f"backend is {name!r}; write 'auto' or a name in nf.backends()")
    return selected(name, memory)


@cache
def selected(name: str, memory: str) -> Any:
    """``select``, remembered."""
    if name == "auto":
        name = _first(memory)
    if name not in _BACKENDS:
        close = difflib.get_close_matches(str(name), ["auto", *_BACKENDS], n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise ValueError(f"unknown backend {name!r}; {hint}known: auto, {', '.join(_BACKENDS)}")
    found = _BACKENDS[name].probe()
    if not found.available:
        raise ValueError(f"backend {name!r} cannot run here: {found.reason}; write backend='auto'")
    if _BACKENDS[name].memory != memory:
        raise ValueError(
            f"backend {name!r} works on {_BACKENDS[name].memory} arrays and x is a {memory} array; "
            "move x first (cupy.asarray, torch .cuda() or .cpu()), or write backend='auto'"
        )
    return importlib.import_module(f"numformats.backends.{name}")
