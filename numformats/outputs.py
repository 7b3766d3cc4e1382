"""Where results go: arrays that users hand over as ``out``, and work on flat memory."""

from collections.abc import Callable
from typing import Any

import numpy as np

from numformats.arrays import Host, host, is_tensor


def check_out(out: Any, x: Any, source: Host) -> Host:
    """``out`` as a ``Host`` after checking that it matches ``x`` in type, shape and dtype."""
    if is_tensor(out) != (source.kind == "torch"):
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
    if is_tensor(out) and out.is_neg():
        raise ValueError(
            f"{name} is a tensor with the negative bit, as x.conj().imag has it; write "
            f"{name}.resolve_neg()"
        )
    target = host(out, name)
    check_places(target.view, name)
    return target


def check_places(view: Any, name: str = "out") -> None:
    """``view`` has a place for each element, which can be written.

    Raises:
        ValueError: it has not.
    """
    if not view.flags.writeable:
        raise ValueError(f"{name} is read-only; give an array that can be written")
    steps = zip(view.shape, view.strides, strict=True)
    if view.size and any(step == 0 and n > 1 for n, step in steps):
        raise ValueError(
            f"elements of {name} share their memory (strides {view.strides}); give an array "
            "that has a place for each, such as a copy"
        )


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
    order = tuple(range(x.ndim)) if ordered or x.flags.c_contiguous else memory_order(x)
    if _lie(order, x, target) and not overlap:
        flat, result = (v.transpose(order).reshape(-1).view(stored) for v in (x, target))
        work(flat, result)
        return
    if target.flags["C_CONTIGUOUS"] and not overlap:
        np.copyto(target, x)
        flat = target.reshape(-1).view(stored)
        work(flat, flat)
        return
    temporary = np.array(x, order="C", copy=True)
    flat = temporary.reshape(-1).view(stored)
    work(flat, flat)
    np.copyto(target, temporary.reshape(target.shape))


def memory_order(x: Any) -> tuple[int, ...]:
    """Axes of a NumPy array from the longest step in memory to the shortest."""
    return tuple(sorted(range(x.ndim), key=lambda axis: -x.strides[axis]))


def common_order(x: Any, target: Any) -> tuple[int, ...] | None:
    """The order of axes in which both lie in memory, without holes; None where there is none."""
    order = memory_order(x)
    return order if _lie(order, x, target) else None


def _lie(order: tuple[int, ...], *arrays: Any) -> bool:
    return all(v.transpose(order).flags["C_CONTIGUOUS"] for v in arrays)


def _same_place(x: Any, y: Any) -> bool:
    return bool(
        x.__array_interface__["data"][0] == y.__array_interface__["data"][0]
        and x.strides == y.strides
        and x.shape == y.shape
    )


def empty_like(source: Host) -> Any:
    """A new NumPy array for results, in the memory order of an input without holes, else in C
    order."""
    x = source.view
    dense = not x.flags["C_CONTIGUOUS"] and _lie(memory_order(x), x)
    return np.empty_like(x, order="K" if dense else "C", subok=False)
