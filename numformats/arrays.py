"""Arrays as users hand them over (NumPy, CPU torch) and as backends take them (flat stored bits),
without copies.

torch is never imported here: a tensor brings its own module along.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from numformats.device import on_device
from numformats.lanes import CARRIERS, Carrier


@dataclass(frozen=True)
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


def _is_tensor(x: Any) -> bool:
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
    if _is_tensor(x):
        return _tensor_view(x, name)
    if hasattr(x, "__cuda_array_interface__"):
        raise ValueError(
            f"{name} lies on a CUDA device, and no backend here takes it; copy it to the host first"
        )
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(
            f"{name} is a masked array, and its mask would be lost; write {name}.filled(0.0)"
        )
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
    carrier = _carrier(array.dtype.name, name)
    kind = "numpy" if space is None else "standard"
    view = array.view(np.uint16) if carrier.name == "bfloat16" else array
    return Host(view, carrier, kind, space)


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


def plain(x: Any) -> tuple[Any, Host | None]:
    """``x`` of any dtype as NumPy, and how to give results back: codes, packed bytes, integers.

    Raises:
        ValueError: an array on a CUDA device.
    """
    if on_device(x):
        raise ValueError(
            f"a {type(x).__name__} lies on a CUDA device, and this works in host memory; copy it "
            "to the host first (cupy.asnumpy, torch .cpu())"
        )
    if _is_tensor(x):
        view = x.detach().resolve_neg().numpy()
        return view, Host(view, CARRIERS["float32"], "torch")
    space = namespace(x)
    if space is None:
        return np.asarray(x), None
    view = np.from_dlpack(x)
    return view, Host(view, CARRIERS["float32"], "standard", space)


def check_out(out: Any, x: Any, source: Host) -> Host:
    """``out`` as a ``Host`` after checking that it matches ``x`` in type, shape and dtype."""
    if _is_tensor(out) != (source.kind == "torch"):
        raise TypeError(
            f"out is a {type(out).__name__}, x is a {type(x).__name__}; give both of one kind"
        )
    if source.kind == "numpy" and not isinstance(out, np.ndarray):
        raise TypeError(f"out is a {type(out).__name__}; give a numpy.ndarray")
    if source.kind == "standard" and type(out) is not type(x):
        raise TypeError(f"out is a {type(out).__name__}; give a {type(x).__name__} as x is")
    target = written(out)
    if target.carrier is not source.carrier or target.shape != source.shape:
        raise ValueError(
            f"out has shape {target.shape}, dtype {target.carrier.name}; x has shape "
            f"{source.shape}, dtype "
            f"{source.carrier.name}: they must agree; write out=numpy.empty_like(x) or "
            f"torch.empty_like(x)"
        )
    return target


def written(out: Any, name: str = "out") -> Host:
    """``out`` as a ``Host`` that is written to.

    Raises:
        ValueError: it is read-only, or a view that negates what lies in memory.
    """
    if _is_tensor(out) and out.is_neg():
        raise ValueError(
            f"{name} is a tensor with the negative bit, as x.conj().imag has it; write "
            f"{name}.resolve_neg()"
        )
    target = host(out, name)
    if not target.view.flags.writeable:
        raise ValueError(f"{name} is read-only; give an array that can be written")
    steps = zip(target.shape, target.view.strides, strict=True)
    if target.view.size and any(step == 0 and n > 1 for n, step in steps):
        raise ValueError(
            f"elements of {name} share their memory (strides {target.view.strides}); give an array "
            "that has a place for each, such as a copy"
        )
    return target


def run_flat(source: Host, target: Any, ordered: bool, work: Callable[[Any, Any], None]) -> None:
    """Call ``work(bits, out)`` on flat contiguous arrays of stored bits; ``target`` is the NumPy
    view of the result.

    Arrays laid out alike and without holes are used in place, in memory order unless ``ordered``
    (results that depend on the element index). Otherwise the input is copied into the result first
    and worked on there; only a result that is itself not contiguous needs a temporary.
    """
    x, stored = source.view, source.carrier.stored
    if x.size == 0:
        return
    overlap = np.may_share_memory(x, target) and not _same_place(x, target)
    for order in ("C",) if ordered else ("C", "F"):
        flags = f"{order}_CONTIGUOUS"
        if target.flags[flags] and x.flags[flags] and not overlap:
            work(_flat(x, order).view(stored), _flat(target, order).view(stored))
            return
    if target.flags["C_CONTIGUOUS"] and not overlap:
        np.copyto(target, x)
        flat = _flat(target, "C").view(stored)
        work(flat, flat)
        return
    temporary = np.array(x, order="C", copy=True)
    flat = temporary.reshape(-1).view(stored)
    work(flat, flat)
    np.copyto(target, temporary.reshape(target.shape))


def _flat(array: Any, order: str) -> Any:
    return (array.T if order == "F" else array).reshape(-1)


def _same_place(x: Any, y: Any) -> bool:
    return bool(
        x.__array_interface__["data"][0] == y.__array_interface__["data"][0]
        and x.strides == y.strides
        and x.shape == y.shape
    )


def empty_like(source: Host) -> Any:
    """A new NumPy array for results: C order, or Fortran order where the input is (and is not C)
    contiguous."""
    x = source.view
    order = "F" if x.flags["F_CONTIGUOUS"] and not x.flags["C_CONTIGUOUS"] else "C"
    return np.empty(x.shape, x.dtype, order)  # type: ignore[call-overload]
