"""GST-FDPA: exact sums of groups, scaled, then aligned and truncated (NVIDIA MXFP4 and NVFP4)."""

from dataclasses import dataclass, field

import numpy as np

from numformats.backends.dot_task import Factor, ScaledDotTask
from numformats.checks import integer
from numformats.core.dot import DotSpec
from numformats.engines.engine import FP32, NAN32, AsFloat, Engine, set_formats
from numformats.engines.job import Job, Operand
from numformats.engines.running import LEAST_EXPONENT, deterministic, output_grid
from numformats.formats import Float
from numformats.rounding import find
from numformats.small_float import E8M0

E4M3 = Float(4, 3, specials="fn")


@dataclass(frozen=True)
class GroupScaledFDPA(Engine):
    """GST-FDPA(G, L, F, rho, e_zero): tensor cores with scaled 4-bit formats.

    The products of every group of ``group`` are added exactly, multiplied by the significands of
    both scales, aligned with c to the largest exponent (of scales only: ``e_alpha + e_beta``),
    truncated toward zero at ``frac_bits``, added exactly and converted once; ``length`` products
    meet c at a time.

    Args:
        a_format: format of a, or its name; b_format: of b; small formats without NaN and Inf.
        scale: format of the scales: ``"e8m0"``, or ``"e4m3"`` whose sign is ignored (UE4M3).
        scale_block: elements along K that share a scale: a multiple of ``group``.
        group: G.
        length: L, a multiple of ``group``.
        frac_bits: F.
        output: format of c and the results; rounding: rho.
        zero_exp: e_zero, for a c that is zero, and for groups whose products are all zero or whose
            scales are.

    A NaN scale gives NaN (0x7FFFFFFF); a zero result is +0. Promise: bit-identical across backends,
    and equal to MMA-Sim 2.1.1.

    Raises:
        TypeError, ValueError: impossible widths, formats with NaN or Inf.

    Example:
        >>> engine = GroupScaledFDPA("e2m1", "e2m1", scale="e4m3", scale_block=16)

    Reference: Xie et al., MMA-Sim, arXiv 2511.10909.
    """

    a_format: AsFloat
    b_format: AsFloat
    scale: AsFloat = field(kw_only=True)
    scale_block: int = field(kw_only=True)
    group: int = field(default=16, kw_only=True)
    length: int = field(default=64, kw_only=True)
    frac_bits: int = field(default=35, kw_only=True)
    output: AsFloat = field(default=FP32, kw_only=True)
    rounding: str = field(default="toward_zero", kw_only=True)
    zero_exp: int = field(default=-139, kw_only=True)

    scaled = True

    def __post_init__(self) -> None:
        set_formats(self, ("a_format", "b_format", "scale", "output"))
        integer("group", self.group, 4, 64)
        integer("length", self.length, self.group, 1024)
        integer("scale_block", self.scale_block, self.group, 1 << 20)
        deterministic(self.rounding)
        for name in ("length", "scale_block"):
            if getattr(self, name) % self.group or self.group % 4:
                raise ValueError(
                    f"{name}={getattr(self, name)} with group={self.group}: write multiples of the "
                    "group, and groups of a multiple of 4"
                )
        if self.scale not in (E8M0, E4M3):
            raise ValueError(f"scale={str(self.scale)!r}; write 'e8m0' or 'e4m3'")
        self._check_widths()

    def _check_widths(self) -> None:
        for name in ("a_format", "b_format"):
            fmt = getattr(self, name)
            if fmt.has_nan or not (fmt.signed and fmt.zero) or _width(fmt) > 12:
                raise ValueError(
                    f"{name}={str(fmt)!r}: groups are added in integers, of small signed formats "
                    "without NaN; write for example 'e2m1'"
                )
        bits = _width(self.a_format) + _width(self.b_format) + self.group.bit_length()
        if bits > 31:
            raise ValueError(f"a group sum has {bits} bits, more than 31; write a smaller group")
        most = 52 - bits - 2 * (self.scale.man_bits + 1) - (self.length // self.group).bit_length()
        integer("frac_bits", self.frac_bits, self.unit_bits, self.unit_bits + most)
        integer("zero_exp", self.zero_exp, self.frac_bits + LEAST_EXPONENT, 999)

    @property
    def unit_bits(self) -> int:
        """Fraction bits of a scaled group sum."""
        low = self.a_format.low_exponent + self.b_format.low_exponent
        return int(2 * self.scale.man_bits - low)

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        low = output_grid(self.output, self.rounding, False)
        spec = DotSpec(
            frac_bits=np.int64(self.frac_bits),
            late_bits=np.int64(0),
            zero_exp=np.int64(self.zero_exp),
            min_exp=np.int64(self.output.emin),
            align=np.int64(self.frac_bits - self.unit_bits),
            unit_bits=np.int64(0),
            given_exp=np.int64(self.output.emin),
        )
        task = ScaledDotTask(
            a=job.reader.units(job.a, self.a_format, 2, self.length),
            b=job.reader.units(job.b, self.b_format, 1, self.length),
            a_scale=self._scales(job, job.scale_a, job.a, 2),
            b_scale=self._scales(job, job.scale_b, job.b, 1),
            a_at=job.a.at,
            b_at=job.b.at,
            out=job.out,
            spec=spec,
            grid=low.grid,
            mode=find(self.rounding),
            group=self.group,
            count=self.length // self.group,
            general=low.general,
            nan=NAN32,
        )
        job.backend.scaled_dots(task)

    def _scales(self, job: Job, scale: Operand | None, x: Operand, axis: int) -> Factor:
        """One scale a group."""
        assert scale is not None
        count = -(-x.bits.shape[axis] // self.length) * (self.length // self.group)
        repeats = self.scale_block // self.group
        found: Factor = job.reader.scales(scale, self.scale, repeats, count, axis)
        return found


def _width(fmt: Float) -> int:
    """Bits of the largest value in units of the smallest."""
    return fmt.emax - fmt.low_exponent + 1
