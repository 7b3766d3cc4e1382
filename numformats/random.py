"""Counter-based randomness: a draw is a function of (key, element index) alone.

Words come from Threefry-2x32-13. In 32-bit lanes element i takes word ``i & 1`` of counter ``i >>
1``; in 64-bit lanes element i takes both words of counter i, the first on top.
"""

import ast
import functools
import inspect
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from numformats.checks import integer
from numformats.core import threefry as text

_LIMIT = (1 << 64) - 1
_LIMITS = (("seed", _LIMIT), ("stream", _LIMIT), ("start", _LIMIT >> 2))


@dataclass(frozen=True)
class Key:
    """Names a stream of random words.

    Args:
        seed: 0 to 2**64 - 1.
        stream: 0 to 2**64 - 1; streams of one seed are independent, and no two are equal.
        start: index of the first element that a call draws for, below 2**62; see :meth:`at`.

    Promise: bit-identical draws on every backend, for any thread count and any split of the data.
    """

    seed: int
    stream: int = 0
    start: int = 0

    def __post_init__(self) -> None:
        for name, limit in _LIMITS:
            value = getattr(self, name)
            if type(value) is int and 0 <= value <= limit:  # folds, at every tensor and step
                continue
            if isinstance(value, np.integer):
                object.__setattr__(self, name, int(value))
            integer(name, getattr(self, name), 0, limit)

    @property
    def words(self) -> tuple[Any, Any]:
        """The two 32-bit words that key the generator."""
        return _mix(self.seed, self.stream)

    def fold(self, data: int) -> "Key":
        """A derived key for ``data`` in [0, 2**64): equal data give equal keys, others are
        unrelated."""
        return Key(_seed(self.words), data)

    def at(self, start: int) -> "Key":
        """The same stream from element ``start`` on: a part of an array draws as it would within
        the whole."""
        return Key(self.seed, self.stream, start)


def _seed(words: tuple[Any, Any]) -> int:
    return int(words[0]) | int(words[1]) << 32


def folded_words(key: Key, *folds: int) -> tuple[Any, Any]:
    """The words of ``key`` folded with one after another, without the keys between."""
    words = key.words
    for data in folds:
        words = _mix(_seed(words), data)
    return words


def as_key(key: "Key | int | None") -> Key | None:
    """``key`` as a ``Key``; an int is a seed."""
    if key is None or isinstance(key, Key):
        return key
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return Key(int(key))
    raise TypeError(f"key={key!r} is a {type(key).__name__}; write an int or nf.Key(seed, stream)")


_MASK = 0xFFFFFFFF


class _Masked(ast.NodeTransformer):
    """``W32(x)`` becomes ``x & 0xFFFFFFFF``, a third of a call's time; constants stay."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not (isinstance(node.func, ast.Name) and node.func.id == "W32"):
            return node
        x = node.args[0]
        return x if isinstance(x, ast.Constant) else ast.BinOp(x, ast.BitAnd(), ast.Constant(_MASK))


def _on_ints() -> dict[str, Any]:
    """The generator's text on Python ints."""
    found: dict[str, Any] = {"__builtins__": __builtins__}  # torch.compile looks for them
    tree = _Masked().visit(ast.parse(inspect.getsource(text)))
    exec(compile(ast.fix_missing_locations(tree), text.__file__, "exec"), found)
    return found


_INTS = _on_ints()


@functools.lru_cache(maxsize=1024)  # a key is folded several times
def _mix(seed: int, stream: int) -> tuple[Any, Any]:
    """Threefry of ``stream`` under ``seed``."""
    a, b = _INTS["threefry"](seed & _MASK, seed >> 32, stream & _MASK, stream >> 32)
    return np.uint32(a), np.uint32(b)


def words(
    n: int, key: "Key | int", *, bits: int = 32, backend: str = "auto", like: Any = None
) -> Any:
    """The random words of elements ``key.start`` onwards: uint32, or uint64 with ``bits=64``; shape
    ``(n,)``.

    Args:
        n: how many.
        key: an int or ``nf.Key``.
        bits: 32 or 64.
        backend: ``"auto"`` or a name in ``nf.backends()``.
        like: an array; the words are made where it lies, of its kind (NumPy by default).

    Promise: bit-identical across backends. Reference: Salmon et al., SC 2011 (Threefry-2x32-13).
    """
    if bits not in (32, 64):
        raise ValueError(f"bits={bits!r}; write 32 or 64")
    return _filled((n,), np.dtype(f"uint{bits}"), _required(key), "words", backend, like)


def normal(
    shape: Any,
    key: "Key | int",
    dtype: Any = np.float32,
    *,
    backend: str = "auto",
    like: Any = None,
) -> Any:
    """Standard normals of ``shape``: one 32-bit word each, through the inverse distribution
    function.

    Args:
        shape: an int or a tuple.
        key: an int or ``nf.Key``.
        dtype: ``numpy.float32`` or ``numpy.float64``.
        backend: ``"auto"`` or a name in ``nf.backends()``.
        like: an array; the normals are made where it lies, of its kind (NumPy by default).

    Promise: bit-identical across backends; |z| <= 6.34, the quantile of ``(word + 1/2) / 2**32``:
        float64 within 4 ulp, float32 (another computation) within 7e-7 max(1, |z|).
    Reference: Wichura, AS 241 (float64); Giles, GPU Computing Gems, 2011 (float32).
    """
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"dtype={dtype!r}; write numpy.float32 or numpy.float64")
    whole = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    return _filled(whole, np.dtype(dtype), _required(key), "normals", backend, like)


def _filled(
    shape: tuple[int, ...], dtype: Any, key: Key, verb: str, backend: str, like: Any
) -> Any:
    """A new array where ``like`` lies, filled by ``verb`` of a backend."""
    from numformats.backends import select
    from numformats.device import on_device
    from numformats.device_libraries import flat, library

    if on_device(like):
        found, given = library(like)
        module, out = select(backend, "cuda"), found.empty(shape, dtype.name, given)
        target: Any = flat(found, out, dtype.type)
    else:
        module, out = select(backend), np.empty(shape, dtype)
        target = out.reshape(-1)
    if target.size:
        getattr(module, verb)(target, key.words, key.start)
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(like, torch.Tensor) and isinstance(out, np.ndarray):
        return torch.from_numpy(out)
    return out


def _required(key: "Key | int") -> Key:
    found = as_key(key)
    if found is None:
        raise ValueError("key is missing; write an int or nf.Key(seed, stream)")
    return found
