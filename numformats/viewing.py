"""Arrays of small-float data types as codes, and codes as such arrays: the same memory."""

import sys
from typing import Any

import numpy as np

from numformats.dtypes import NAMES, PAIRED, dtype_name
from numformats.formats import Format
from numformats.naming import parse

REMEDY = f"write nf.unpack(x.view(torch.uint8), 'e2m1', shape); {PAIRED} holds two codes a byte"


def codes_in(x: Any) -> tuple[Any, Format] | None:
    """The codes that ``x`` holds, in its own memory, and their format; None where its data type is
    no format (integers).

    Raises:
        TypeError: bytes of two codes, or of the other order.
    """
    dtype: Any = getattr(x, "dtype", None)
    name = dtype_name(dtype)
    if name not in NAMES:
        return None
    if name == PAIRED:
        raise TypeError(f"x has dtype {dtype}; {REMEDY}")
    if getattr(dtype, "byteorder", "=") == ">":
        raise TypeError(f"x is big-endian ({dtype}); write x.astype({name!r})")
    return _unsigned(x, dtype.itemsize), parse(dtype)


def _unsigned(x: Any, size: int) -> Any:
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(x, torch.Tensor):
        return x.view(np.dtype(f"u{size}"))
    return x.detach().view(getattr(torch, f"uint{8 * size}"))


def viewed(codes: Any, dtype: Any) -> Any:
    """``codes`` as an array of ``dtype``, in the same memory.

    Raises:
        TypeError: a ``dtype`` that is no format or holds two codes in a byte, codes of another
            width, codes of another library than ``dtype``.
    """
    name = dtype_name(dtype)
    if name not in NAMES or name == PAIRED:
        known = ", ".join(known for known in NAMES if known != PAIRED)
        pair = "; write nf.pack(codes, 'e2m1').view(torch.uint8)" if name == PAIRED else ""
        raise TypeError(f"dtype={dtype!r} holds no codes of one format{pair}; known: {known}")
    torch = sys.modules.get("torch")
    tensor = torch is not None and isinstance(codes, torch.Tensor)
    if tensor != (type(dtype).__module__ == "torch"):
        other = "codes.numpy()" if tensor else "torch.from_numpy(codes)"
        raise TypeError(
            f"codes are a {type(codes).__name__}, dtype is {dtype!r}; give both of one library, "
            f"for example {other}"
        )
    found = codes.dtype
    if "uint" not in str(found) or found.itemsize != _size(dtype):
        raise TypeError(
            f"codes have dtype {found}; {name} takes unsigned integers of {_size(dtype)} bytes, as "
            f"encode gives for {parse(dtype)}"
        )
    return codes.view(dtype)


def _size(dtype: Any) -> int:
    return int(dtype.itemsize if hasattr(dtype, "is_floating_point") else np.dtype(dtype).itemsize)
