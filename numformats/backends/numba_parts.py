"""What each loop of the Numba CPU kernels is compiled with: core texts and the functions of its
skeleton.
"""

from collections.abc import Callable
from typing import Any

from numformats.backends import (
    block_draw_loops,
    block_loops,
    decode_loops,
    intrinsics,
    langevin_loops,
    loops,
    quotient_loops,
    random_loops,
    scaled_loops,
    short_draw_loops,
    tile_loops,
    underdamped_loops,
)
from numformats.backends.emit import BLOCK_DRAW, ELEMENTS, LEVELS, UNITS
from numformats.core import scale, scaled

Parts = tuple[Callable[..., Any], ...]
INTRINSICS: Parts = (
    intrinsics.leading_zeros,
    intrinsics.real_to_bits,
    intrinsics.bits_to_real,
    intrinsics.float_to_bits,
    intrinsics.bits_to_float,
    intrinsics.whole_to_bits,
    intrinsics.where,
    intrinsics.fused,
    intrinsics.shift_left,
    intrinsics.shift_right,
    intrinsics.prefetch,
)
_POWERS: Parts = (
    scale.block_bits,
    block_loops.amax_of,
    block_loops.grid_at,
    block_loops.round_blocks,
    block_loops.round_any,
    block_loops.made_state,
    block_loops.choose,
    block_loops.round_matrix,
)
_ROWS: Parts = (
    *_POWERS,
    block_loops.amax_blocks,
    block_loops.round_blocks_in_place,
    block_loops.round_blocks_over,
    block_loops.rows_chunk,
    block_loops.rows_task,
)
_WORDS: Parts = (tile_loops.made_words, tile_loops.filled)
_TILES: Parts = (
    tile_loops.tops_of,
    tile_loops.tops_of_run,
    tile_loops.round_run,
    tile_loops.group_counts,
    tile_loops.tiles_task,
)
_SCALED: Parts = (scaled_loops.run_of, scaled_loops.scaled_element, scaled_loops.scaled_run)
_FLOAT_SCALES: Parts = (
    scaled.not_a_number,
    scaled.rescaled,
    loops.shaped,
    block_loops.amax_of,
    quotient_loops.moderate_blocks,
    quotient_loops.short_blocks,
    quotient_loops.made_state,
    quotient_loops.choose,
    quotient_loops.round_matrix,
)
_STEPS: Parts = (
    loops.shaped,
    loops.round_over,
    loops.round_all,
    langevin_loops.beyond,
    langevin_loops.rounded_run,
)
_LANGEVIN: Parts = (
    *_STEPS,
    langevin_loops.weighed,
    langevin_loops.moved,
    langevin_loops.diffused,
    langevin_loops.langevin_chunk,
)
_UNDERDAMPED: Parts = (
    *_STEPS,
    langevin_loops.weighed,
    block_loops.amax_of,
    underdamped_loops.means,
    underdamped_loops.shaken,
    underdamped_loops.forced_run,
    underdamped_loops.tied,
    underdamped_loops.underdamped_chunk,
)
_SHORT_DRAWS: Parts = (
    short_draw_loops.known_short,
    short_draw_loops.within,
    short_draw_loops.short_element,
    short_draw_loops.short_run,
)
_OWN_DRAWS: Parts = (
    short_draw_loops.known_short,
    short_draw_loops.within,
    short_draw_loops.rest_of_run,
    short_draw_loops.own_run,
)
_DRAWS: Parts = (
    random_loops.roots,
    random_loops.known,
    random_loops.drawn_at,
    random_loops.draw_run,
)
_LONG_DRAWS: Parts = (
    *_DRAWS,
    scaled_loops.in_block_units,
    scaled_loops.out_of_units,
)
PARTS: dict[str, Parts] = {
    "quantize": (loops.shaped, loops.round_over, loops.round_all, loops.quantize_task),
    "wrap": (loops.wrap_all,),
    "rows": _ROWS,
    "tiles": (*_POWERS, *_WORDS, *_TILES),
    "words": (random_loops.copy_run,),
    "normals": (),
    "long_normals": (random_loops.copy_run, random_loops.deviates),
    "draws": (random_loops.both_words, *_DRAWS),
    "short_draws": (random_loops.both_words, *_SHORT_DRAWS),
    "own_draws": (
        random_loops.both_words,
        random_loops.known,
        random_loops.drawn_at,
        *_OWN_DRAWS,
    ),
    "finite_tops": (scaled.magnitude_of, scaled_loops.seen),
    "tops": (
        scaled.magnitude_of,
        scaled_loops.run_of,
        scaled_loops.seen,
        scaled_loops.top_of_run,
    ),
    "levels": (scaled.not_a_number, *LEVELS),
    "scaled": (*UNITS, *ELEMENTS, *_SCALED),
    "block_draws": (*UNITS, scaled_loops.run_of, *_LONG_DRAWS),
    "short_block_draws": (
        *UNITS,
        *BLOCK_DRAW,
        *_SHORT_DRAWS,
        *_LONG_DRAWS,
        block_loops.amax_of,
        block_draw_loops.made_words,
        block_draw_loops.filled,
        block_draw_loops.made_state,
        block_draw_loops.choose,
        block_draw_loops.short_blocks,
        block_draw_loops.long_run,
        block_draw_loops.any_blocks,
        block_draw_loops.round_matrix,
        *_TILES,
    ),
    "finite_top": (),
    "float_rows": (*_FLOAT_SCALES, block_loops.amax_blocks),
    "float_tiles": (*_FLOAT_SCALES, *_WORDS, *_TILES),
    "decoded": (),
    "looked_up": (),
    "looked_up_rows": (),
    "looked_up_tiles": (scaled_loops.run_of,),
    "langevin": _LANGEVIN,
    "underdamped": _UNDERDAMPED,
    "velocities": (*_STEPS, *_OWN_DRAWS, underdamped_loops.velocity_chunk),
}
_MODULES = (
    loops,
    decode_loops,
    block_loops,
    random_loops,
    short_draw_loops,
    scaled_loops,
    block_draw_loops,
    quotient_loops,
    langevin_loops,
    underdamped_loops,
)


#: too large to inline by themselves
INLINED: Parts = (short_draw_loops.short_element, short_draw_loops.within, random_loops.drawn_at)


def loop_of(name: str) -> Callable[..., Any]:
    """The skeleton of this name."""
    found: Callable[..., Any] = next(getattr(m, name) for m in _MODULES if hasattr(m, name))
    return found
