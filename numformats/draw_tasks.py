"""The task of a variance-corrected draw, for arrays on the host and on devices."""

from typing import Any

from numformats.backends.task import DrawTask
from numformats.block_tasks import block_draw_task
from numformats.draw_grids import draw_grid, short_draw
from numformats.formats import BlockFloat, FixedPoint, Float
from numformats.lanes import CARRIERS, LANE32, Carrier
from numformats.random import Key


def drawn(
    module: Any,
    arrays: tuple[Any, Any, Any],
    fmt: FixedPoint | Float | BlockFloat,
    key: Key,
    shape: tuple[int, ...],
    carrier: Carrier,
    *,
    common: bool,
    counted: bool = True,
) -> Any:
    """Draw by the backend ``module``: flat means, variances (one where ``common``) and results of
    an array of ``shape``; what it returns."""
    given = (*arrays, key.words, key.fold(1).words, key.start)
    plain = common and carrier.lane is LANE32
    if isinstance(fmt, BlockFloat):
        task = DrawTask(*given, draw_grid(fmt.element, CARRIERS["float64"]), counted)
        return module.block_draws(block_draw_task(task, shape, fmt, plain))
    grid = draw_grid(fmt, carrier)
    short = short_draw(grid, float(arrays[1][0])) if plain else None
    return module.draws(DrawTask(*given, grid, counted, short))
