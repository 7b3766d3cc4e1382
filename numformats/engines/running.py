"""Running fused dot products: how wide terms are, output grids, and the task for a backend."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from numformats.backends.dot_task import DotRule, DotTask
from numformats.core.dot import DotSpec
from numformats.engines.engine import NAN32
from numformats.engines.job import Job
from numformats.engines.splitting import Groups
from numformats.formats import Float
from numformats.lanes import CARRIERS
from numformats.lowering import Lowered, lower
from numformats.rounding import find

LEAST_EXPONENT = -1022  #: of the last bits of sums, which are float64 before they are converted
NARROW_FRAC_BITS = 27  # four terms below 2**(F + 2) add up in 32 bits


class Lanes(NamedTuple):
    """How wide the terms of a group are, and how products are shifted into place."""

    up_a: int  #: left shift of the significands of a
    up_b: int
    align: int  #: right shift of products where F is small
    wide: bool  #: 64 bits a term
    run: int  #: terms that add up without overflow


def term_lanes(man_bits: int, a_bits: int, frac_bits: int, stored: int) -> Lanes:
    """Lanes for products with ``man_bits`` fraction bits, ``a_bits`` of them from a."""
    up, align = max(frac_bits - man_bits, 0), max(man_bits - frac_bits, 0)
    wide = frac_bits > NARROW_FRAC_BITS or man_bits + up > 28
    run = stored if wide else min(stored, 1 << (29 - frac_bits))
    up_a = min(up, 29 - a_bits)
    return Lanes(up_a, up - up_a, align, wide, run)


@lru_cache(maxsize=256)
def output_grid(output: Float, rounding: str, negative_zero: bool) -> Lowered:
    """The output format on float64; overflow gives Inf in every rounding mode where there is one,
    and a zero result is +0 unless ``negative_zero``."""
    low = lower(output, CARRIERS["float64"], find(rounding))
    grid, inf = low.grid, np.uint64(0x7FF << 52)
    if output.has_inf and output.overflow == "infinity":
        grid = grid._replace(over_pos=inf, over_neg=inf)
    if not negative_zero:
        grid = grid._replace(zero_mask=np.uint64(0))
    return low._replace(grid=grid)


def deterministic(rounding: str) -> None:
    """``rounding`` names a mode without random bits."""
    if find(rounding).stochastic:
        raise ValueError(
            f"rounding={rounding!r} draws random bits, and this unit's output conversion has none; "
            "write 'toward_zero' or 'nearest_even', or use MACChain"
        )


def run_groups(
    engine: Any,
    job: Job,
    rule: DotRule,
    groups: Groups,
    zero_exp: int,
    late_bits: int,
    negative_zero: bool,
) -> None:
    """Split, scale and group the operands of ``job``, and run ``rule`` over them. The c of the
    first group is aligned as a number of its own format, the result of a group as one of the
    output format."""
    a_fmt, b_fmt = engine.a_format, engine.b_format
    lanes = term_lanes(engine.product_bits, a_fmt.man_bits, engine.frac_bits, groups.stored)
    truncate, block = engine.truncate_inputs, engine.scale_block if engine.scaled else 1
    low = output_grid(engine.output, engine.rounding, negative_zero)
    unit_bits = engine.product_bits + lanes.up_a + lanes.up_b + 1
    read, emin = job.reader.factors, engine.output.emin
    a = read(job.a, a_fmt, lanes.up_a, truncate, groups, 2, job.scale_a, block)
    b = read(job.b, b_fmt, lanes.up_b, truncate, groups, 1, job.scale_b, block)
    numbers = (engine.frac_bits, late_bits, zero_exp, emin, lanes.align, unit_bits)
    spec = DotSpec(*map(np.int64, (*numbers, engine.c_values.emin)))
    task = DotTask(
        a, b, job.a.at, job.b.at, job.out, rule, spec, low.grid, find(engine.rounding),
        groups.stored, low.general, lanes.wide, lanes.run, NAN32,
    )  # fmt: skip
    job.backend.dots(task)
