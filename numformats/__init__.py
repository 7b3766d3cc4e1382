"""Number formats: define them, round to them, and simulate the arithmetic of accelerators.

The verbs are ``quantize``, ``encode``, ``decode``, ``pack``, ``unpack``, ``values``, ``spacing``,
``error``, ``variance_corrected``, ``langevin_step`` and ``underdamped_step``, and for data types of
NumPy, ml_dtypes and torch ``as_codes`` and ``as_dtype``; the formats ``FixedPoint``, ``Float`` and
``BlockFloat``, with a catalog of named ones (``nf.E4M3``, ``nf.MXFP4``, ...) and a parser for text.
``matmul`` multiplies matrices on a simulated matrix unit, ``engine`` names one of a chip, and
``accelerator`` a preset: what a chip stores and how it multiplies; ``accelerators()`` lists them.
"""

import importlib
import logging
from typing import Any

from numformats import random
from numformats.backends import backends
from numformats.blocks import BlockCodes, ScaledBlockCodes
from numformats.catalog import CATALOG as _CATALOG
from numformats.catalog import formats
from numformats.codes import Codes, as_codes, as_dtype
from numformats.coding import encode
from numformats.decoding import decode
from numformats.drawing import DrawCounts, variance_corrected
from numformats.formats import BlockFloat, FixedPoint, Float, Format
from numformats.langevin import LangevinStep, langevin_step
from numformats.measuring import Error, error, spacing, values
from numformats.naming import parse
from numformats.packing import pack, packed_size, unpack
from numformats.quantizing import quantize
from numformats.random import Key
from numformats.rounding import mode, roundings
from numformats.underdamped import UnderdampedStep, underdamped_step
from numformats.underdamped_tasks import UnderdampedMoments

__version__ = "0.1.0"
logging.getLogger(__name__).addHandler(logging.NullHandler())
__all__ = [
    "BlockCodes", "BlockFloat", "Codes", "DrawCounts", "Error", "FixedPoint", "Float", "Format",
    "Key", "LangevinStep", "ScaledBlockCodes", "UnderdampedMoments", "UnderdampedStep",
    "accelerator", "accelerators", "as_codes", "as_dtype", "backends", "decode", "encode", "engine",
    "engines", "error",
    "formats", "langevin_step", "matmul", "mode", "pack", "packed_size", "parse", "quantize",
    "random", "requantize", "roundings", "spacing", "underdamped_step", "unpack", "values",
    "variance_corrected",
]  # fmt: skip


_LATER = {  # loaded when first used
    "accelerator": "accelerators", "accelerators": "accelerators", "engine": "engines",
    "engines": "engines", "matmul": "engines", "requantize": "engines",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Named formats as attributes in capitals: ``nf.E4M3`` is ``nf.formats()["e4m3"]``; and
    engines and accelerators, which are loaded when first used."""
    if name in _LATER:
        package = importlib.import_module(f"numformats.{_LATER[name]}")
        return package if name == _LATER[name] else getattr(package, name)
    if name.isupper() and name.lower() in _CATALOG:
        return _CATALOG[name.lower()]
    raise AttributeError(
        f"module 'numformats' has no attribute {name!r}; named formats: nf.formats()"
    )


def __dir__() -> list[str]:
    return [*__all__, *map(str.upper, _CATALOG)]
