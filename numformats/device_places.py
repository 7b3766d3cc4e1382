"""Where results on devices go, and what every verb on a device checks first."""

from math import prod
from typing import Any

import numpy as np

from numformats.backends.reading_task import CastTask, flat_layout
from numformats.device import DeviceArray
from numformats.device_libraries import Library, carrier_of, flat, library
from numformats.formats import Float
from numformats.lanes import CARRIERS, Carrier, size_of
from numformats.tasks import round_in_place

HALVES = {
    "float16": Float(5, 10, overflow="infinity"),
    "bfloat16": Float(8, 7, overflow="infinity"),
}
NOTHING = DeviceArray(0, 0, np.uint8, 0, 0, None)


def carrier_for(found: Library, x: Any, name: str = "x") -> Carrier:
    """The carrier of ``x``, which must not belong to a graph.

    Raises:
        TypeError: a dtype that is no carrier.
        ValueError: an array that requires grad.
    """
    carrier = carrier_of(found, x, name)
    if getattr(x, "requires_grad", False) and found.grad_enabled():
        raise ValueError(
            f"{name} requires grad, and rounding would silently cut the graph; write "
            f"{name}.detach(), or call under torch.no_grad()"
        )
    return carrier


def target_for(found: Library, out: Any, x: Any, carrier: Carrier) -> Any:
    """Where the result goes: ``out`` after checking that it matches ``x``, or a new array."""
    shape = tuple(x.shape)
    if out is None:
        return found.empty(shape, found.dtype(x), x)
    other, target = library(out)
    got = (type(other), tuple(target.shape), other.dtype(target), other.device(target))
    want = (type(found), shape, carrier.name, found.device(x))
    if got != want:
        names = ("kind", "shape", "dtype", "device")
        differ = ", ".join(
            f"{n} {g} instead of {w}" for n, g, w in zip(names, got, want, strict=True) if g != w
        )
        raise ValueError(
            f"out does not match x: {differ}; write out=cupy.empty_like(x) or torch.empty_like(x)"
        )
    return target


def places(found: Library, x: Any, target: Any) -> tuple[Any, Any]:
    """A compact source and a compact result that do not overlap unless they are one."""
    source = x if found.contiguous(x) else found.compact(x)
    if not found.contiguous(target) or _overlap(found, source, target):
        return source, found.empty(tuple(x.shape), found.dtype(x), x)
    return source, target


def _overlap(found: Library, x: Any, y: Any) -> bool:
    gap = abs(found.pointer(x) - found.pointer(y))
    size = size_of(CARRIERS[found.dtype(x)].stored) * prod(x.shape)
    return 0 < gap < int(size)


def reals(found: Library, x: Any, carrier: Carrier) -> Any:
    """``x`` compact, in float64 or else in float32."""
    kind = real_of(carrier)
    return found.compact(x if carrier.name == kind else found.astype(x, kind))


def real_of(carrier: Carrier) -> str:
    """The dtype in which ``reals`` gives the values of a carrier."""
    return "float64" if carrier.name == "float64" else "float32"


def real_places(found: Library, x: Any, target: Any, carrier: Carrier) -> tuple[Any, Any]:
    """As ``places``, in the dtype of ``reals``; the result may have to be put into ``target``."""
    if carrier.name == real_of(carrier):
        return places(found, x, target)
    return reals(found, x, carrier), found.empty(tuple(x.shape), real_of(carrier), x)


def put(found: Library, target: Any, made: Any, carrier: Carrier, module: Any) -> None:
    """Copy a result of ``real_places`` into ``target`` where it lies elsewhere; half-width ones
    round to nearest even, by ``module``: libraries make other NaNs."""
    if made is target:
        return
    narrow = made if found.dtype(made) == carrier.name else _narrowed(found, made, carrier, module)
    found.assign(target, narrow)


def _narrowed(found: Library, made: Any, carrier: Carrier, module: Any) -> Any:
    wide = CARRIERS["float32"]
    bits = flat(found, made, wide.stored)
    round_in_place(module, bits, wide, HALVES[carrier.name])
    narrow = found.empty(tuple(made.shape), carrier.name, made)
    out = flat(found, narrow, carrier.stored)
    module.cast(CastTask(bits, out, wide, carrier, flat_layout(bits.size)))
    return narrow


def flat_reals(found: Library, x: Any) -> DeviceArray:
    """A compact array of reals as a backend takes it."""
    return flat(found, x, np.dtype(found.dtype(x)).type)
