"""Arrays as users hand them over (NumPy, CPU torch) and as backends take them (flat stored bits),
without copies.

torch is never imported here: a tensor brings its own module along.
"""

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from numformats.device import on_device
from numformats.lanes import CARRIERS, Carrier, name_of


@dataclass(slots=True, eq=False)  # not frozen: made at every call
class Host:
    """An array as NumPy sees it: ``view`` shares memory with the original, bfloat16 seen as
    uint16."""

    view: Any
    carrier: Carrier
    kind: str  # "numpy", "torch" or "standard"
    space: Any = None  #: the namespace of an array of the array API standard

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the original."""
        return tuple(self.view.shape)


def is_tensor(x: Any) -> bool:
    """Whether ``x`` is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(x, torch.Tensor)


def _tensor_view(x: Any, name: str) -> Host:
    torch = sys.modules["torch"]
    if x.device.type != "cpu":
        raise ValueError(
            f"{name} is on {x.device}, and no backend here takes that device; write {name}.cpu()"
        )
    if x.requires_grad and torch.is_grad_enabled():
        raise ValueError(
            f"{name} requires grad, and rounding would silently cut the graph; write "
            f"{name}.detach(), or call under "
            "torch.no_grad()"
        )
    carrier = _carrier(str(x.dtype).removeprefix("torch."), name)
    x = x.detach()
    if x.layout is not torch.strided:
        raise ValueError(f"{name} has layout {x.layout}; write {name}.to_dense()")
    return Host(_memory(x.resolve_neg(), carrier), carrier, "torch")


class _Memory:
    """A tensor's memory as NumPy asks for it; ``Tensor.numpy()`` would forbid torch to resize it
    from then on, as FSDP does."""

    def __init__(self, x: Any, dtype: str) -> None:
        self.owner = x
        self.__array_interface__ = {
            "version": 3,
            "typestr": np.dtype(dtype).str,
            "shape": tuple(x.shape),
            "strides": tuple(step * x.element_size() for step in x.stride()),
            "data": (x.data_ptr(), False),
        }


def _memory(x: Any, carrier: Carrier) -> Any:
    """``x`` as NumPy sees it, bfloat16 as uint16."""
    dtype = "uint16" if carrier.name == "bfloat16" else carrier.name
    return np.asarray(_Memory(x, dtype)) if x.numel() else np.empty(tuple(x.shape), dtype)


def _carrier(dtype: str, name: str) -> Carrier:
    if dtype not in CARRIERS:
        raise TypeError(
            f"{name} has dtype {dtype}; formats are emulated in float16, bfloat16, float32 and "
            f"float64: "
            f"write {name}.astype(numpy.float32) (torch: {name}.float())"
        )
    return CARRIERS[dtype]


def host(x: Any, name: str = "x") -> Host:
    """``x`` as a ``Host``; Python numbers and lists count as float64, NumPy scalars keep their
    dtype.

    Raises:
        TypeError: a dtype that is no carrier (integers, complex, objects).
        ValueError: a tensor that is not on the CPU, not dense, or requires grad.
    """
    if is_tensor(x):
        return _tensor_view(x, name)
    if hasattr(x, "__cuda_array_interface__"):
        raise ValueError(
            f"{name} lies on a CUDA device, and no backend here takes it; copy it to the host first"
        )
    _refuse_masked(x, name, "0.0")
    space = namespace(x)
    array = np.asarray(x) if space is None else np.from_dlpack(x)
    if array.dtype == object:
        raise TypeError(
            f"{name} is a {type(x).__name__} of dtype object; give a NumPy array of floats or "
            "a tensor"
        )
    if array.dtype.byteorder == ">":
        raise TypeError(
            f"{name} is big-endian ({array.dtype}); write {name}.astype({array.dtype.name!r})"
        )
    carrier = _carrier(name_of(array.dtype), name)
    kind = "numpy" if space is None else "standard"
    view = array.view(np.uint16) if carrier.name == "bfloat16" else array
    return Host(view, carrier, kind, space)


def _refuse_masked(x: Any, name: str, zero: str) -> None:
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and its mask would be lost; write {name}.filled({zero})"
        )


def namespace(x: Any) -> Any:
    """The namespace of a host array of another library that follows the array API standard and
    lends its memory; None of NumPy's own."""
    if isinstance(x, np.ndarray | np.generic) or not hasattr(x, "__array_namespace__"):
        return None
    return x.__array_namespace__() if hasattr(x, "__dlpack__") else None


def like(x: Any, source: Host, values: Any) -> Any:
    """NumPy ``values`` as the kind of ``x``; numbers become NumPy scalars."""
    if source.kind == "torch":
        torch = sys.modules["torch"]
        tensor = torch.from_numpy(values)
        return tensor.view(torch.bfloat16) if source.carrier.name == "bfloat16" else tensor
    if source.kind == "standard":
        return as_kind(source, values)
    if source.carrier.name == "bfloat16" and values.dtype == np.uint16:
        values = values.view(np.asarray(x).dtype)
    return values[()] if values.ndim == 0 and not isinstance(x, np.ndarray) else values


def as_kind(source: Host, values: Any) -> Any:
    """NumPy ``values`` (codes, floats) as the kind of array that ``source`` came from."""
    if source.kind == "standard":
        return source.space.from_dlpack(values)
    return sys.modules["torch"].from_numpy(values) if source.kind == "torch" else values


def plain(x: Any, name: str = "x") -> tuple[Any, Host | None]:
    """``x`` of any dtype as NumPy, and how to give results back: codes, packed bytes, integers.

    Raises:
        TypeError: a masked array.
        ValueError: an array on a CUDA device.
    """
    _refuse_masked(x, name, "0")
    if on_device(x):
        raise ValueError(
            f"a {type(x).__name__} lies on a CUDA device, and this works in host memory; copy it "
            "to the host first (cupy.asnumpy, torch .cpu())"
        )
    if is_tensor(x):
        view = x.detach().resolve_neg().numpy()
        return view, Host(view, CARRIERS["float32"], "torch")
    space = namespace(x)
    if space is None:
        return np.asarray(x), None
    view = np.from_dlpack(x)
    return view, Host(view, CARRIERS["float32"], "standard", space)
