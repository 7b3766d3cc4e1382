"""How device arrays of CuPy, torch and Numba are read and made."""

import sys
from functools import cache
from math import prod
from typing import Any

import numpy as np

from numformats.device import DeviceArray, enough_memory
from numformats.lanes import CARRIERS, Carrier, name_of


class Library:
    """How one library's arrays are read and made. The base class serves the array interface."""

    kind = "numpy"  #: what its arrays are like: ``"torch"`` has bfloat16

    def device(self, x: Any) -> int:
        """Number of the device that holds ``x``."""
        raise NotImplementedError

    def stream(self, x: Any) -> int:
        """The current stream of that device."""
        return 0

    def dtype(self, x: Any) -> str:
        """Name of the dtype."""
        return str(name_of(x.dtype))

    def pointer(self, x: Any) -> int:
        """Address of the first element."""
        return int(x.__cuda_array_interface__["data"][0])

    def contiguous(self, x: Any) -> bool:
        """Whether ``x`` lies in C order without holes."""
        strides, shape = x.__cuda_array_interface__.get("strides"), tuple(x.shape)
        return strides is None or 0 in shape or _c_strides(x, shape) == tuple(strides)

    def strides(self, x: Any) -> tuple[int, ...] | None:
        """Elements from one index to the next along every axis; None where memory does not hold the
        numbers themselves at such places, so that ``compact`` has to copy them."""
        strides, shape = x.__cuda_array_interface__.get("strides"), tuple(x.shape)
        size = np.dtype(x.__cuda_array_interface__["typestr"]).itemsize
        steps = _c_strides(x, shape) if strides is None else tuple(strides)
        return None if any(s % size for s in steps) else tuple(s // size for s in steps)

    def compact(self, x: Any) -> Any:
        """``x`` in C order without holes, copied where it is not."""
        raise NotImplementedError

    def empty(self, shape: tuple[int, ...], dtype: str, x: Any) -> Any:
        """A new array where ``x`` lies.

        Raises:
            MemoryError: no room for it.
        """
        with enough_memory(f"an array of shape {shape}, dtype {dtype}"):
            return self.made(shape, dtype, x)

    def made(self, shape: tuple[int, ...], dtype: str, x: Any) -> Any:
        """As ``empty``, with the library's own errors."""
        raise NotImplementedError

    def counts(self, n: int, x: Any) -> Any:
        """Zeros, int64 (n,), where ``x`` lies.

        Raises:
            MemoryError: no room for them.
        """
        with enough_memory("counts"):
            return self.zeros(n, x)

    def zeros(self, n: int, x: Any) -> Any:
        """As ``counts``, with the library's own errors."""
        raise NotImplementedError

    def floats(self, x: Any) -> Any:
        """The bits of int64 ``x`` as float64."""
        return x.view(np.float64)

    def assign(self, target: Any, x: Any) -> None:
        """Copy ``x`` into ``target``."""
        target[...] = x

    def astype(self, x: Any, dtype: str) -> Any:
        """``x`` in another dtype."""
        return x.astype(dtype)

    def to_host(self, x: Any) -> Any:
        """A copy as NumPy, bfloat16 as uint16."""
        raise NotImplementedError

    def any_nan(self, x: Any, inf_too: bool) -> bool:
        """Whether ``x`` holds NaN (or Inf); waits for the device."""
        raise NotImplementedError

    def grad_enabled(self) -> bool:
        """Whether results would belong to a graph."""
        return False


def _c_strides(x: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    size = np.dtype(x.__cuda_array_interface__["typestr"]).itemsize
    return tuple(prod(shape[i + 1 :]) * size for i in range(len(shape)))


class _Torch(Library):
    kind = "torch"

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def device(self, x: Any) -> int:
        return int(x.device.index)

    def stream(self, x: Any) -> int:
        return int(self.torch.cuda.current_stream(x.device).cuda_stream)

    def dtype(self, x: Any) -> str:
        return str(x.dtype).removeprefix("torch.")

    def pointer(self, x: Any) -> int:
        return int(x.data_ptr())

    def contiguous(self, x: Any) -> bool:
        return bool(x.is_contiguous()) and not x.is_neg()

    def strides(self, x: Any) -> tuple[int, ...] | None:
        return None if x.is_neg() else tuple(x.stride())

    def compact(self, x: Any) -> Any:
        return x.detach().resolve_neg().contiguous()

    def made(self, shape: tuple[int, ...], dtype: str, x: Any) -> Any:
        return self.torch.empty(shape, dtype=getattr(self.torch, dtype), device=x.device)

    def zeros(self, n: int, x: Any) -> Any:
        return self.torch.zeros(n, dtype=self.torch.int64, device=x.device)

    def floats(self, x: Any) -> Any:
        return x.view(self.torch.float64)

    def assign(self, target: Any, x: Any) -> None:
        target.detach().copy_(x)

    def astype(self, x: Any, dtype: str) -> Any:
        return x.detach().to(getattr(self.torch, dtype))

    def to_host(self, x: Any) -> Any:
        bits = x.view(self.torch.uint16) if x.dtype == self.torch.bfloat16 else x
        return bits.detach().cpu().numpy()

    def any_nan(self, x: Any, inf_too: bool) -> bool:
        found = ~self.torch.isfinite(x) if inf_too else self.torch.isnan(x)
        return bool(found.any().item())

    def grad_enabled(self) -> bool:
        return bool(self.torch.is_grad_enabled())


class _Cupy(Library):
    def __init__(self, cupy: Any) -> None:
        self.cupy = cupy

    def device(self, x: Any) -> int:
        return int(x.device.id)

    def stream(self, x: Any) -> int:
        return int(self.cupy.cuda.get_current_stream(x.device.id).ptr)

    def pointer(self, x: Any) -> int:
        return int(x.data.ptr)

    def contiguous(self, x: Any) -> bool:
        return bool(x.flags.c_contiguous)

    def compact(self, x: Any) -> Any:
        with x.device:
            return self.cupy.ascontiguousarray(x)

    def made(self, shape: tuple[int, ...], dtype: str, x: Any) -> Any:
        with x.device:
            return self.cupy.empty(shape, _numpy_dtype(dtype, x))

    def zeros(self, n: int, x: Any) -> Any:
        with x.device:
            return self.cupy.zeros(n, np.int64)

    def to_host(self, x: Any) -> Any:
        with x.device:
            return self.cupy.asnumpy(x)

    def any_nan(self, x: Any, inf_too: bool) -> bool:
        with x.device:
            found = ~self.cupy.isfinite(x) if inf_too else self.cupy.isnan(x)
            return bool(found.any())


class _Numba(Library):
    def __init__(self, cuda: Any) -> None:
        self.cuda = cuda

    def device(self, x: Any) -> int:
        return int(self.cuda.get_current_device().id)

    def compact(self, x: Any) -> Any:
        if self.contiguous(x):
            return x
        raise ValueError(
            f"x is a Numba device array of shape {x.shape} that is not C contiguous; give a "
            "contiguous one, or a CuPy array (cupy.asarray(x) copies nothing)"
        )

    def made(self, shape: tuple[int, ...], dtype: str, x: Any) -> Any:
        return self.cuda.device_array(shape, np.dtype(dtype))

    def zeros(self, n: int, x: Any) -> Any:
        return self.cuda.to_device(np.zeros(n, np.int64))

    def assign(self, target: Any, x: Any) -> None:
        target.copy_to_device(x)

    def astype(self, x: Any, dtype: str) -> Any:
        if self.dtype(x) == dtype:
            return x
        raise ValueError(
            f"x is a Numba device array of {self.dtype(x)}, and {dtype} is needed here; give a "
            "CuPy array (cupy.asarray(x) copies nothing)"
        )

    def to_host(self, x: Any) -> Any:
        return x.copy_to_host()

    def any_nan(self, x: Any, inf_too: bool) -> bool:
        host = x.copy_to_host()
        return bool((~np.isfinite(host) if inf_too else np.isnan(host)).any())


def _numpy_dtype(name: str, x: Any) -> Any:
    return x.dtype if name == name_of(x.dtype) else np.dtype(name)


@cache
def _reader(kind: Any, module: Any) -> Library:
    """The one reader of a library's arrays."""
    found: Library = kind(module)
    return found


def library(x: Any) -> tuple[Library, Any]:
    """The library of the device array ``x``, and ``x`` as one of its arrays.

    Raises:
        TypeError: an array of another library while CuPy is not imported.
    """
    root = type(x).__module__.partition(".")[0]
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return _reader(_Torch, torch), x
    if root == "cupy":
        return _reader(_Cupy, sys.modules["cupy"]), x
    if type(x).__name__ == "DeviceNDArray" and "numba.cuda" in sys.modules:
        return _reader(_Numba, sys.modules["numba.cuda"]), x
    cupy = sys.modules.get("cupy")
    if cupy is None:
        raise TypeError(
            f"x is a {root}.{type(x).__name__} on a CUDA device; import cupy first, or give "
            "a CuPy array, a torch tensor or a Numba device array"
        )
    view = cupy.asarray(x) if hasattr(x, "__cuda_array_interface__") else cupy.from_dlpack(x)
    return _reader(_Cupy, cupy), view


def carrier_of(found: Library, x: Any, name: str) -> Carrier:
    """The carrier of ``x``.

    Raises:
        TypeError: a dtype that is no carrier.
    """
    dtype = found.dtype(x)
    if dtype not in CARRIERS:
        raise TypeError(
            f"{name} has dtype {dtype}; formats are emulated in float16, bfloat16, float32 and "
            f"float64: write {name}.astype('float32') (torch: {name}.float())"
        )
    return CARRIERS[dtype]


def flat(found: Library, x: Any, stored: Any) -> DeviceArray:
    """A compact array as flat elements of ``stored``."""
    return flats(found, stored, x)[0]


def flats(found: Library, stored: Any, *arrays: Any) -> list[DeviceArray]:
    """As ``flat``, of several arrays on one device, which is asked once."""
    device, stream = found.device(arrays[0]), found.stream(arrays[0])
    return [DeviceArray(found.pointer(x), prod(x.shape), stored, device, stream, x) for x in arrays]
