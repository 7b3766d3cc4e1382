"""Arrays as float32 or float64, and back into the half-width carriers."""

from typing import Any

import numpy as np

from numformats.arrays import Host
from numformats.lanes import Carrier


def floats(stored: Any, carrier: Carrier) -> Any:
    """Stored numbers of a carrier as floats (bfloat16 as float32)."""
    if carrier.name == "bfloat16":
        wide: Any = stored.astype(np.uint32) << np.uint32(16)
        return wide.view(np.float32)
    return stored


def values_of(source: Host) -> Any:
    """The values of an array, as ``floats``."""
    return floats(source.view, source.carrier)


@np.errstate(invalid="ignore")  # signalling NaN
def reals(source: Host) -> Any:
    """The values of an array, flat and contiguous, in float64 or else in float32."""
    kind = np.float64 if source.carrier.name == "float64" else np.float32
    return np.ascontiguousarray(values_of(source), kind).reshape(-1)


@np.errstate(over="ignore", invalid="ignore")
def put(target: Any, values: Any, source: Host) -> None:
    """Write ``reals`` into ``target``, the stored form of a carrier; half-width ones round to
    nearest even."""
    if source.carrier.name != "bfloat16":
        target[...] = values.reshape(target.shape)
        return
    bits = values.astype(np.float32).view(np.uint32)
    nearest = (bits + np.uint32(0x7FFF) + (bits >> np.uint32(16) & np.uint32(1))) >> np.uint32(16)
    stored = np.where(np.isnan(values), np.uint32(0x7FC0), nearest).astype(np.uint16)
    target[...] = stored.reshape(target.shape)


def place_for(target: Any, x: Any, source: Host) -> Any:
    """Where results of ``reals`` x may go: ``target`` itself where it is flat memory of the same
    dtype that does not overlap ``x`` in part, else a new array."""
    fits = target.dtype == x.dtype and target.flags["C_CONTIGUOUS"]
    flat = target.reshape(-1) if fits else None
    if flat is None or (np.may_share_memory(flat, x) and flat.ctypes.data != x.ctypes.data):
        return np.empty_like(x)
    return flat
