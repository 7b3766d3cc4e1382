"""Source of the Numba CUDA kernels that read operands of matrix products."""

from typing import Any

from numformats.backends import cuda_dot_loops
from numformats.backends import cuda_reading_loops as loops
from numformats.backends.dot_task import NO_TERM
from numformats.backends.dot_texts import CHAIN, SPLIT, Texts
from numformats.backends.emit import LOADS, STORES, module_text
from numformats.backends.numba_cuda_text import KERNEL
from numformats.backends.numba_steps import STEP_GRID
from numformats.backends.reading_task import ZERO_PLACE
from numformats.lanes import Carrier

_LAYOUT: Texts = (loops.place_of, loops.memory_of)
_NUMBER = "\n@device\ndef number_bits(x):\n    return {}\n"
_CAST = "\n@device\ndef cast_bits(x):\n    return {}\n"


def _kernel(head: str, helpers: Any, entry: Any) -> str:
    parts = [(f, None, "@device") for f in helpers]
    return module_text(head, [*parts, (entry, "kernel", KERNEL)])


def factors_text(carrier: Carrier, magnitude: bool, scaled: bool) -> str:
    """Splitting operands of one carrier."""
    head = f"NO_TERM, ZERO_PLACE = {NO_TERM}, {ZERO_PLACE}\n"
    head += "from numformats.core.operand import SplitSpec\n"
    head += f"MAGNITUDES, SCALED = {magnitude}, {scaled}\n"
    parts: list[Any] = [(f, None, "@device") for f in (*SPLIT, *_LAYOUT)]
    load = (LOADS[carrier.name], "load", "@device")
    return module_text(head, [load, *parts, (loops.factors, "kernel", KERNEL)])


def read_text(source: str, flags: dict[str, bool], rounding: str) -> str:
    """Reading numbers of dtype ``source``."""
    single = "wide_bits(float_to_bits(x))"
    head = "".join(f"{name} = {value}\n" for name, value in flags.items())
    head += _NUMBER.format(single if source == "float32" else "real_to_bits(x)")
    head += f"{STEP_GRID}{rounding}"
    return _kernel(head, (*CHAIN, *_LAYOUT, cuda_dot_loops.store), loops.read)


def add_text(rounding: str, single: bool) -> str:
    """Adding arrays."""
    head = f"SINGLE = {single}\n{STEP_GRID}{rounding}"
    return _kernel(head, (*CHAIN, cuda_dot_loops.store), loops.add)


def cast_text(source: Carrier, target: Carrier, puts: bool) -> str:
    """Stored bits of one carrier as those of another, from a layout or into one."""
    bits = "single_bits(U64(x))" if source.name == "float64" else "load(x)"
    made = f"wide_bits({bits})" if target.name == "float64" else f"narrow({bits})"
    head = _CAST.format("x" if source.name == target.name else made)
    moves = [(LOADS[source.name], "load", "@device"), (STORES[target.name], "narrow", "@device")]
    layout = [(f, None, "@device") for f in _LAYOUT]
    entry = (loops.put if puts else loops.cast, "kernel", KERNEL)
    return module_text(head, [*moves, *layout, entry])


def integers_text(unsigned: bool) -> str:
    """Reading integers."""
    return _kernel(f"UNSIGNED = {unsigned}", _LAYOUT, loops.read_integers)


def wrap_text(dtype: str) -> str:
    """Wrapping integers of ``dtype``."""
    return _kernel(f"A = np.{dtype}", _LAYOUT, loops.wrap_integers)
