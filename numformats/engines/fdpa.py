"""T-FDPA and ST-FDPA: fused dot products with one alignment and truncated terms (NVIDIA)."""

from dataclasses import dataclass, field

from numformats.backends.dot_task import DotRule
from numformats.checks import flag, integer
from numformats.core import dot
from numformats.engines.engine import FP32, AsFloat, Engine, check_factor, set_formats
from numformats.engines.job import Job
from numformats.engines.running import LEAST_EXPONENT, deterministic, run_groups
from numformats.engines.splitting import Groups
from numformats.formats import Float
from numformats.small_float import E8M0

TRUNCATED = DotRule(dot.first_truncated, dot.finish_truncated)


@dataclass(frozen=True)
class TruncatedFDPA(Engine):
    """T-FDPA(L, F, rho, e_zero), and ST-FDPA where ``scale`` is given: NVIDIA tensor cores.

    In every group of ``length`` products, low k first: the products (exact) and c are aligned to
    the largest exponent ``e_a + e_b`` (or ``e_c``), each truncated toward zero at ``frac_bits``
    fraction bits relative to it, added exactly, and converted once to ``output``. The result is the
    c of the next group. Exponents are those of the stored operands: subnormals have the exponent
    of the smallest normal, and products are not renormalised.

    Args:
        a_format: format of a, or its name; b_format: of b.
        output: format of the result; overflow gives Inf (where the format has it) in every mode.
        length: L, products a group.
        frac_bits: F.
        rounding: rho, the mode of the conversion to ``output``.
        zero_exp: e_zero, the exponent that counts for a term that is zero.
        c_format: format of c; by default ``output``.
        scale: format of the block scales (``"e8m0"``), whose exponents add to those of products.
        scale_block: elements along K that share a scale.
        truncate_inputs: operands are read from wider numbers by truncation (TF32); without it they
            must be values of the format.

    NaN, Inf * 0 and Inf - Inf give the NaN 0x7FFFFFFF (float16: 0x7FFF), other Inf give Inf; a zero
    result is +0. Promise: bit-identical across backends, and equal to MMA-Sim 2.1.1.

    Raises:
        TypeError, ValueError: impossible widths, unknown modes, formats without subnormals.

    Example:
        >>> engine = TruncatedFDPA("e4m3", "e4m3", length=32, frac_bits=13)

    Reference: Xie et al., MMA-Sim, arXiv 2511.10909; Khattak and Mikaitis, arXiv 2512.07004.
    """

    a_format: AsFloat
    b_format: AsFloat
    output: AsFloat = field(default=FP32, kw_only=True)
    length: int = field(kw_only=True)
    frac_bits: int = field(kw_only=True)
    rounding: str = field(default="toward_zero", kw_only=True)
    zero_exp: int = field(default=-133, kw_only=True)
    c_format: AsFloat = field(default=None, kw_only=True)
    scale: AsFloat = field(default=None, kw_only=True)
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
        integer("zero_exp", self.zero_exp, self.frac_bits + LEAST_EXPONENT, 999)
        integer("scale_block", self.scale_block, 1, 1 << 30)
        flag("truncate_inputs", self.truncate_inputs)
        deterministic(self.rounding)
        if self.scale is not None and self.scale != E8M0:
            raise ValueError(
                f"scale={str(self.scale)!r}: only exponents can be added, so scales are 'e8m0'; "
                "for scales with significands use GroupScaledFDPA"
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
        return int(self.a_format.man_bits + self.b_format.man_bits)

    @property
    def c_values(self) -> Float:
        """The format of c."""
        fmt: Float = self.c_format
        return fmt

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        run_groups(self, job, TRUNCATED, Groups(self.length), self.zero_exp, 0, False)
