"""Arrays on CUDA devices as backends take them: flat stored bits, without copies.

CuPy arrays, torch tensors, Numba device arrays, and whatever else has ``__cuda_array_interface__``
or DLPack. No library is imported here that the caller has not imported (DLPack alone needs CuPy).
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

CUDA_DLPACK = 2  # DLPack's number for CUDA memory


@dataclass(slots=True, eq=False)  # not frozen: five times as long to make
class DeviceArray:
    """Contiguous memory on a device: ``size`` elements of ``dtype`` from ``pointer`` on.

    ``device`` is its number, ``stream`` the caller's current stream there (0: the default one);
    ``owner`` keeps the memory alive.
    """

    pointer: int
    size: int
    dtype: Any
    device: int
    stream: int
    owner: Any
    extent: tuple[int, ...] | None = None  #: the shape where it is not flat

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; kernels index it flat."""
        return (self.size,) if self.extent is None else self.extent

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """As Numba and others read it. No stream is named: the work is on the caller's."""
        return {
            "shape": (self.size,),
            "typestr": np.dtype(self.dtype).str,
            "data": (self.pointer, False),
            "version": 3,
            "strides": None,
        }


def on_device(x: Any) -> bool:
    """Whether ``x`` lies in CUDA memory."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        return bool(x.is_cuda)
    if type(x).__module__ == "cupy" or hasattr(x, "__cuda_array_interface__"):  # which CuPy makes
        return True
    return hasattr(x, "__dlpack_device__") and int(x.__dlpack_device__()[0]) == CUDA_DLPACK


class enough_memory:  # noqa: N801 - reads as the context that it is
    """Turns the many errors of a full device into one.

    Raises:
        MemoryError: the device has no room for ``what``.
    """

    def __init__(self, what: str) -> None:
        self.what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, Exception):
            return
        text = f"{type(error).__name__} {error}".replace(" ", "").replace("_", "").lower()
        if "outofmemory" in text:
            raise MemoryError(
                f"the device has no room for {self.what}; there is no result, and out is untouched "
                "unless a matrix product had begun. Free memory (torch.cuda.empty_cache(), "
                "cupy.get_default_memory_pool().free_all_blocks()), give out=, or work in parts "
                "with key.at(start)"
            ) from error
