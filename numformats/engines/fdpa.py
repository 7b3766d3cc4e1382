"""T-FDPA and ST-FDPA: fused dot products with one alignment and truncated terms (NVIDIA)."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from numformats.backends.dot_task import DotRule, DotTask, Factor
from numformats.checks import flag, integer
from numformats.core import dot
from numformats.core.dot import DotSpec
from numformats.engines.engine import FP32, NAN32, Engine, check_factor, set_formats
from numformats.engines.job import Job, Operand, refuse
from numformats.engines.splitting import Groups, grouped, split
from numformats.formats import Float
from numformats.lanes import CARRIERS
from numformats.lowering import Lowered, lower
from numformats.rounding import find
from numformats.small_float import E8M0

NARROW_FRAC_BITS = 27  # four terms below 2**(F + 2) add up in 32 bits
TRUNCATED = DotRule(dot.first_truncated, dot.finish_truncated)


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


@dataclass(frozen=True)
class TruncatedFDPA(Engine):
    """T-FDPA(L, F, rho, e_zero), and ST-FDPA where ``scale`` is given: NVIDIA tensor cores.

    In every group of ``length`` products, low k first: the products (exact) and c are aligned to
    the largest exponent ``e_a + e_b`` (or ``e_c``), each truncated toward zero at ``frac_bits``
    fraction bits relative to it, added exactly, and converted once to ``output``. The result is the
    c of the next group. Exponents are those of the stored operands: subnormals have the exponent
    of the smallest normal, and products are not renormalised.

    Args:
        a_format: format of a, or its name; b_format: of b. TF32 operands are read from wider
            numbers by truncation; all others must be values of the format.
        output: format of the result; overflow gives Inf (where the format has it) in every mode.
        length: L, products a group.
        frac_bits: F.
        rounding: rho, the mode of the conversion to ``output``.
        zero_exp: e_zero, the exponent that counts for a term that is zero.
        c_format: format of c; by default ``output``.
        scale: format of the block scales (``"e8m0"``), whose exponents add to those of products.
        scale_block: elements along K that share a scale; a multiple of nothing else than 1.

    NaN, Inf * 0 and Inf - Inf give the NaN 0x7FFFFFFF (float16: 0x7FFF), other Inf give Inf; a zero
    result is +0. Promise: bit-identical across backends, and equal to MMA-Sim 2.1.1.

    Raises:
        TypeError, ValueError: impossible widths, unknown modes, formats without subnormals.

    Example:
        >>> engine = TruncatedFDPA("e4m3", "e4m3", length=32, frac_bits=13)

    Reference: Xie et al., MMA-Sim, arXiv 2511.10909; Khattak and Mikaitis, arXiv 2512.07004.
    """

    a_format: Float
    b_format: Float
    output: Float = field(default=FP32, kw_only=True)
    length: int = field(kw_only=True)
    frac_bits: int = field(kw_only=True)
    rounding: str = field(default="toward_zero", kw_only=True)
    zero_exp: int = field(default=-133, kw_only=True)
    c_format: Float | None = field(default=None, kw_only=True)
    scale: Float | None = field(default=None, kw_only=True)
    scale_block: int = field(default=32, kw_only=True)
    truncate_inputs: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.c_format is None:
            object.__setattr__(self, "c_format", self.output)
        set_formats(self, ("a_format", "b_format", "output", "c_format"))
        if self.scale is not None:
            set_formats(self, ("scale",))
        self._check()

    def _check(self) -> None:
        check_factor("a_format", self.a_format)
        check_factor("b_format", self.b_format)
        integer("length", self.length, 1, 1024)
        integer("frac_bits", self.frac_bits, 1, 50 - self.length.bit_length())
        integer("zero_exp", self.zero_exp, -999, 999)
        integer("scale_block", self.scale_block, 1, 1 << 30)
        flag("truncate_inputs", self.truncate_inputs)
        deterministic(self.rounding)
        if self.scale is not None and self.scale != E8M0:
            raise ValueError(
                f"scale={str(self.scale)!r}: only exponents can be added, so scales are 'e8m0'; for "
                "scales with significands use GroupScaledFDPA"
            )
        if self.product_bits + max(self.frac_bits - self.product_bits, 0) > 58:
            raise ValueError(
                f"a_format={str(self.a_format)!r}, b_format={str(self.b_format)!r}: products of "
                f"{self.product_bits} fraction bits do not fit 64-bit terms; use MACChain"
            )

    @property
    def scaled(self) -> bool:  # type: ignore[override]
        """Whether the unit takes scales."""
        return self.scale is not None

    @property
    def product_bits(self) -> int:
        """Fraction bits of a product."""
        return self.a_format.man_bits + self.b_format.man_bits

    @property
    def c_values(self) -> Float:
        """The format of c."""
        assert self.c_format is not None
        return self.c_format

    @property
    def results(self) -> Float:
        """The format of the results."""
        return self.output

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        run_groups(self, job, TRUNCATED, Groups(self.length), self.zero_exp, 0, False)


def run_groups(
    engine: Any,
    job: Job,
    rule: DotRule,
    groups: Groups,
    zero_exp: int,
    late_bits: int,
    negative_zero: bool,
) -> None:
    """Split, scale and group the operands of ``job``, and run ``rule`` over them."""
    a_fmt, b_fmt = engine.a_format, engine.b_format
    lanes = term_lanes(engine.product_bits, a_fmt.man_bits, engine.frac_bits, groups.stored)
    a = split(job, job.a, a_fmt, lanes.up_a, engine.truncate_inputs)
    b = split(job, job.b, b_fmt, lanes.up_b, engine.truncate_inputs)
    if engine.scaled:
        a = with_scale(a, job, job.scale_a, engine.scale_block, 2)
        b = with_scale(b, job, job.scale_b, engine.scale_block, 1)
    low = output_grid(engine.output, engine.rounding, negative_zero)
    spec = DotSpec(
        frac_bits=np.int64(engine.frac_bits),
        late_bits=np.int64(late_bits),
        zero_exp=np.int64(zero_exp),
        min_exp=np.int64(engine.c_values.emin),
        align=np.int64(lanes.align),
        unit_bits=np.int64(engine.product_bits + lanes.up_a + lanes.up_b + 1),
    )
    task = DotTask(
        a=grouped(a, groups, 2),
        b=grouped(b, groups, 1),
        a_at=job.a.at,
        b_at=job.b.at,
        out=job.out,
        rule=rule,
        spec=spec,
        grid=low.grid,
        mode=find(engine.rounding),
        group=groups.stored,
        general=low.general,
        wide=lanes.wide,
        run=lanes.run,
        nan=NAN32,
    )
    job.backend.dots(task)


def with_scale(x: Factor, job: Job, scale: Operand | None, block: int, axis: int) -> Factor:
    """``x`` with the exponents of its E8M0 scales added; a NaN scale makes its block NaN."""
    assert scale is not None
    found = split(job, scale, E8M0, 0, False)
    if (found.kind & 12).any():
        refuse(scale, found.kind & 12, E8M0)
    count = x.exp.shape[axis]
    cut = (slice(None),) * axis + (slice(count),)
    exp = np.repeat(found.exp, block, axis)[cut]
    kind = np.repeat(found.kind, block, axis)[cut] & np.uint8(1)
    return Factor(x.sig, (x.exp + exp).astype(np.int16), x.kind | kind)
