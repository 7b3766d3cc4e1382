"""The task of a variance-corrected draw, for arrays on the host and on devices."""

from typing import Any

import numpy as np

from numformats.backends.task import DrawTask
from numformats.block_tasks import block_draw_task
from numformats.draw_grids import draw_grid, own_draws, short_draw
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.lanes import CARRIERS, LANE32, Carrier, size_of
from numformats.random import Key, folded_words


def spread_dtype(fmt: FixedPoint | Float | BlockFloat, carrier: Carrier, given: Any) -> Any:
    """The dtype in which ``drawn`` takes the variances of elements whose dtype is ``given``."""
    plain = carrier.lane is LANE32 and not isinstance(fmt, BlockFloat)
    return np.float32 if plain and size_of(given) <= 4 else np.float64


def drawn(
    module: Any,
    arrays: tuple[Any, Any, Any],
    fmt: FixedPoint | Float | BlockFloat,
    key: Key,
    shape: tuple[int, ...],
    carrier: Carrier,
    *,
    common: bool,
    counts: Any,
) -> None:
    """Draw by the backend ``module``: flat means, variances (one, in float64, where ``common``,
    else of ``spread_dtype``) and results of an array of ``shape``; ``counts`` as in
    ``DrawTask``."""
    given = (*arrays, key.words, folded_words(key, 1), key.start)
    plain = common and carrier.lane is LANE32
    if isinstance(fmt, BlockFloat):
        task = DrawTask(*given, draw_grid(fmt.element, CARRIERS["float64"]), counts)
        module.block_draws(block_draw_task(task, shape, fmt, plain))
        return
    grid = draw_grid(fmt, carrier)
    short = short_draw(grid, float(arrays[1][0])) if plain else None
    own = own_draws(grid) if carrier.lane is LANE32 and not common else None
    module.draws(DrawTask(*given, grid, counts, short, own))
