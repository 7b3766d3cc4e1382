"""Rounding float64 to a format, as backends take it."""

from functools import lru_cache

from numformats.backends.chain_task import Step
from numformats.formats import FixedPoint, Float
from numformats.lanes import CARRIERS, LANE64
from numformats.random import Key
from numformats.request import request
from numformats.tasks import scalar_task


@lru_cache(maxsize=256)
def step_to(fmt: FixedPoint | Float, rounding: str, random_bits: int | None = None) -> Step:
    """Rounding to ``fmt``, lowered."""
    how = request(rounding, Key(0), random_bits, LANE64)
    rule = scalar_task(None, None, CARRIERS["float64"], fmt, how, encode=False).rule
    return Step(fmt, rule.mode, rule.lowered, how.spare, rule.wrapping)
