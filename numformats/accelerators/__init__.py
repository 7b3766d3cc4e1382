"""Accelerators: what chips store, how they scale and how they multiply, as named data.

``accelerator(name)`` gives a preset, calling this package (``nf.accelerators()``) all of them;
``load`` reads one from a file, ``Accelerator`` makes one.
"""

import sys
from types import ModuleType

from numformats.accelerators.accelerator import Accelerator
from numformats.accelerators.files import load
from numformats.accelerators.registry import accelerator, accelerators
from numformats.accelerators.scaling import Scaling
from numformats.accelerators.tables import from_dict, to_dict

__all__ = [
    "Accelerator", "Scaling", "accelerator", "accelerators", "from_dict", "load", "to_dict",
]  # fmt: skip


class _Package(ModuleType):
    """This package: ``nf.accelerators()`` gives all presets, ``nf.accelerators.load`` reads one."""

    def __call__(self) -> dict[str, Accelerator]:
        return accelerators()


sys.modules[__name__].__class__ = _Package
