"""Operands and results of matrix products on CUDA devices."""

from functools import cached_property
from typing import Any

from numformats.device import on_device
from numformats.device_libraries import flat, library
from numformats.device_places import carrier_for
from numformats.engines.job import Operand, batch_numbers
from numformats.engines.matrices import Matrices, strided
from numformats.lanes import Carrier


class Given:
    """A device array, its library and its shape."""

    def __init__(self, x: Any, name: str) -> None:
        if not on_device(x):
            raise TypeError(
                f"{name} is a {type(x).__name__} in host memory and a lies on a CUDA device; move "
                f"{name} there first (cupy.asarray, torch .cuda())"
            )
        self.name, (self.library, self.array) = name, library(x)
        self.shape = tuple(self.array.shape)

    @cached_property
    def carrier(self) -> Carrier:
        """The carrier of floats."""
        return carrier_for(self.library, self.array, self.name)

    @property
    def device(self) -> int:
        """Number of the device."""
        return self.library.device(self.array)

    def matrices(self, dtype: Any) -> Matrices:
        """In three dimensions, where it lies."""
        x, strides = self.array, self.library.strides(self.array)
        if strides is None:
            x = self.library.compact(x)
            strides = self.library.strides(x)
        assert strides is not None
        return strided(flat(self.library, x, dtype), self.shape, strides)

    def operand(self, lead: tuple[int, ...]) -> Operand:
        """As engines take it."""
        bits, at = self.matrices(self.carrier.stored), batch_numbers(self.shape[:-2], lead)
        return Operand(self.name, bits, self.carrier, at, self.shape)


def all_given(arrays: dict[str, Any]) -> dict[str, Given]:
    """Arrays by name (None: not there), which have to lie on the device of a.

    Raises:
        TypeError: an array in host memory.
        ValueError: one on another device.
    """
    given = {name: Given(x, name) for name, x in arrays.items() if x is not None}
    for name, x in given.items():
        if x.device != given["a"].device:
            raise ValueError(
                f"{name} is on device {x.device}, a on device {given['a'].device}; move one of "
                "them first"
            )
    return given


def check_target(target: Given, first: Given) -> None:
    """Results are of the kind of a, and every one has a place of its own.

    Raises:
        TypeError: another kind.
        ValueError: an array that was broadcast.
    """
    if type(target.library) is not type(first.library):
        raise TypeError(
            f"out is a {type(target.array).__name__} and a a {type(first.array).__name__}; give "
            "one kind"
        )
    strides = target.library.strides(target.array) or ()
    if any(s == 0 and n > 1 for s, n in zip(strides, target.shape, strict=False)):
        raise ValueError(
            f"out of shape {target.shape} was broadcast, and its elements share memory; give an "
            "array of its own (cupy.empty, torch.empty)"
        )
