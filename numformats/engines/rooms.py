"""Scratch memory of a product on a device: what one stripe needed serves the next."""

from collections.abc import Callable
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from numformats.device import DeviceArray
from numformats.engines.job import Operand


class Rooms:
    """Arrays of the backend ``module``, by operand and use. Work on a device is in order, so a room
    may be filled anew while kernels that read it are still to run."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.rooms: dict[tuple[str, str], DeviceArray] = {}
        self.made: dict[tuple[str, str], tuple[Operand, Any, Any]] = {}

    def room(
        self, name: str, use: str, extent: tuple[int, ...], dtype: Any, like: DeviceArray
    ) -> DeviceArray:
        """An array of any content."""
        key, kind = (name, use), np.dtype(dtype)
        found, size = self.rooms.get(key), prod(extent)
        if found is None or found.size < size or found.dtype != kind:
            found = None
            self.rooms.pop(key, None)  # before there is another
            self.rooms[key] = found = self.module.empty((size,), kind, like)
        return replace(found, size=size, extent=extent)

    def kept(self, x: Operand, use: str, how: Any, make: Callable[[], Any]) -> Any:
        """What ``make`` lays out of ``x``; of the same operand it is laid out once."""
        found = self.made.pop((x.name, use), None)
        if found is None or found[0] is not x or found[1] != how:
            found = None
            found = (x, how, make())
        self.made[x.name, use] = found
        return found[2]
