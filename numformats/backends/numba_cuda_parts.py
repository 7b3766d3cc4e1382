"""What each loop of the Numba CUDA kernels is compiled with: core texts and the functions of its
skeleton.
"""

from collections.abc import Callable
from typing import Any

from numformats.backends import (
    cuda_block_draw_loops,
    cuda_langevin_loops,
    cuda_loops,
    cuda_quotient_loops,
    cuda_real_loops,
    cuda_short_draw_loops,
    cuda_underdamped_loops,
    random_loops,
    short_draw_loops,
)
from numformats.backends.emit import LEVELS
from numformats.core import scaled
from numformats.core.scale import block_bits

INDICES = (
    cuda_loops.here,
    cuda_loops.stride,
    cuda_loops.pair_of,
    cuda_loops.word_of,
    cuda_loops.turns,
    cuda_loops.place_of,
    cuda_loops.turn_words,
)
_SHORT_DRAWN = (
    short_draw_loops.known_short,
    cuda_short_draw_loops.known,
    cuda_short_draw_loops.gaps_of,
    cuda_short_draw_loops.short_single,
    cuda_short_draw_loops.drawn_single,
)
_OWN_DRAWN = (
    short_draw_loops.known_short,
    cuda_short_draw_loops.gaps_of,
    cuda_short_draw_loops.short_single,
    cuda_short_draw_loops.own_single,
)
DRAWN: dict[bool, tuple[Callable[..., Any], ...]] = {
    False: (random_loops.known, cuda_real_loops.bounded, cuda_langevin_loops.drawn_single),
    True: _SHORT_DRAWN,
}
_WEIGHTS = (
    cuda_real_loops.gather,
    cuda_langevin_loops.rounded_single,
    cuda_langevin_loops.weighed,
)
_ROWS = (cuda_loops.size_of, cuda_loops.four_of, cuda_loops.top_of, cuda_loops.block_top)
_BLOCK_DRAWN = (
    random_loops.known,
    short_draw_loops.known_short,
    cuda_short_draw_loops.gaps_of,
    cuda_short_draw_loops.short_single,
    cuda_real_loops.put_real,
    cuda_real_loops.gather,
    cuda_real_loops.bounded,
    cuda_block_draw_loops.long_member,
    cuda_block_draw_loops.block_member,
)
PARTS: dict[str, tuple[Callable[..., Any], ...]] = {
    "quantize": (cuda_loops.rounded, cuda_loops.quantize_drawn),
    "rows": (block_bits, cuda_loops.member, *_ROWS, cuda_loops.four_words),
    "tiles": (block_bits, cuda_loops.member, cuda_loops.tile_of, cuda_loops.opens),
    "maxima": (cuda_loops.tile_of,),
    "draws": (
        random_loops.known,
        cuda_loops.tile_of,
        cuda_real_loops.put_real,
        cuda_real_loops.gather,
        cuda_real_loops.bounded,
    ),
    "short_draws": (cuda_real_loops.gather, *_SHORT_DRAWN),
    "own_draws": (cuda_real_loops.gather, *DRAWN[False], *_OWN_DRAWN),
    "draw_rows": (*_BLOCK_DRAWN, *_ROWS, cuda_loops.four_words),
    "draw_maxima": (cuda_loops.tile_of,),
    "draw_tiles": (*_BLOCK_DRAWN, cuda_loops.tile_of),
    "tops": (scaled.magnitude_of, cuda_loops.tile_of, cuda_real_loops.gather_top),
    "levels": LEVELS,
    "scaled": (cuda_loops.tile_of, cuda_real_loops.put_real),
    "finite_top": (cuda_loops.size_of, cuda_quotient_loops.finite_size, cuda_real_loops.gather_top),
    "float_rows": (
        scaled.tensor_level,
        *_ROWS,
        cuda_loops.four_words,
        cuda_real_loops.put_real,
        cuda_quotient_loops.float_member,
        cuda_quotient_loops.moderate_member,
        cuda_quotient_loops.float_members,
    ),
    "decoded": (cuda_real_loops.put_real,),
    "block_decoded": (cuda_loops.tile_of, cuda_real_loops.put_real),
    "langevin": (
        *_WEIGHTS,
        cuda_langevin_loops.step_words,
        cuda_langevin_loops.step_element,
        cuda_langevin_loops.step_at,
    ),
    "underdamped": (
        *_WEIGHTS,
        cuda_langevin_loops.step_words,
        cuda_real_loops.gather_top,
        cuda_underdamped_loops.forced,
        cuda_underdamped_loops.moved_element,
        cuda_underdamped_loops.moved_at,
    ),
    "velocities": (*_WEIGHTS, *_OWN_DRAWN, cuda_underdamped_loops.velocity_at),
}
_HOMES = (
    cuda_loops,
    cuda_real_loops,
    cuda_quotient_loops,
    cuda_short_draw_loops,
    cuda_block_draw_loops,
    cuda_langevin_loops,
    cuda_underdamped_loops,
)
STEPS = ("langevin", "underdamped", "velocities")
REALS = (
    "normals", "long_normals", "draws", "short_draws", "own_draws", "tops", "levels", "scaled",
    "finite_top", "float_rows", "draw_rows", "draw_maxima", "draw_tiles", *STEPS,
)  # fmt: skip  # loops that need ``draw_text``
FLOATS = ("finite_top", "float_rows", "draw_rows", "draw_maxima")  # load the bits of floats
BLOCK_DRAWS = ("draw_rows", "draw_tiles")  # loops that need ``block_draw_text``
SCALES = ("rows", "tiles", "levels", *BLOCK_DRAWS)  # loops that need ``scale_text``


def loop_of(name: str) -> Callable[..., Any]:
    """The skeleton of this name."""
    found: Callable[..., Any] = next(getattr(m, name) for m in _HOMES if hasattr(m, name))
    return found
