"""Whether values of one format are values of another."""

from functools import lru_cache
from typing import Any

from numformats.formats import BlockFloat, FixedPoint, Float, Format


def element(fmt: Format | None) -> Float | FixedPoint | None:
    """The format of single elements."""
    return fmt.element if isinstance(fmt, BlockFloat) else fmt


@lru_cache(maxsize=1024)
def holds(own: Float | FixedPoint, fmt: Float | FixedPoint) -> bool:
    """Whether every finite value of ``fmt`` is one of ``own``."""
    if own == fmt:
        return True
    if isinstance(own, FixedPoint) or isinstance(fmt, FixedPoint):
        step = -fmt.frac_bits if isinstance(fmt, FixedPoint) else fmt.low_exponent
        low = -own.frac_bits if isinstance(own, FixedPoint) else own.low_exponent
        wide = isinstance(own, FixedPoint) or (
            isinstance(fmt, FixedPoint) and fmt.max_code.bit_length() <= own.man_bits + 1
        )
        return step >= low and wide and fmt.max <= own.max and fmt.min >= own.min
    return (
        fmt.man_bits <= own.man_bits
        and fmt.emax <= own.emax
        and fmt.low_exponent >= own.low_exponent
    )


def wanted_blocks(own: Float | FixedPoint, engine: Any) -> str:
    """Which blocks an engine with scales takes, for error messages."""
    return (
        f"the engine takes blocks of {engine.scale_block} elements of {own} along K with scales of "
        f"{engine.scale}; write 'block<{own},block={engine.scale_block},scale={engine.scale}>'"
    )
