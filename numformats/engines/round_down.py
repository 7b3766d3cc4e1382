"""TR-FDPA and GTR-FDPA: fused dot products that meet c late and round down (AMD CDNA3)."""

from dataclasses import dataclass, field

from numformats.backends.dot_task import DotRule
from numformats.checks import flag, integer
from numformats.core import dot
from numformats.engines.engine import FP32, AsFloat, Engine, check_factor, set_formats
from numformats.engines.job import Job
from numformats.engines.running import run_groups
from numformats.engines.splitting import Groups
from numformats.formats import Float

LATE = DotRule(dot.first_down, dot.finish_down, product_overflow=True)
GROUPED = DotRule(dot.first_down, dot.finish_grouped, parts=2)
NO_PRODUCT = -999  #: exponent of a group without products


@dataclass(frozen=True)
class RoundDownFDPA(Engine):
    """TR-FDPA(L, F, F2), and GTR-FDPA where ``grouped``: AMD CDNA3 matrix cores.

    The products of a group are aligned to their largest exponent, truncated toward zero at
    ``frac_bits`` and added. That sum and c are then aligned to the larger exponent and rounded
    toward minus infinity (the sum at ``late_bits + 1`` fraction bits, c at ``frac_bits``), added,
    normalised, rounded down to ``late_bits`` fraction bits, and converted to FP32, nearest even.
    Rounding down makes results of negated operands differ from negated results.

    Args:
        a_format: format of a, or its name; b_format: of b.
        length: L, products a group.
        frac_bits: F.
        late_bits: F2, at least ``frac_bits - 1``.
        grouped: products of even and odd index are added apart, each aligned to its own largest
            exponent, and c is dropped when its exponent is more than F + 1 below. Without it,
            products of 2**128 and more count as Inf.
        truncate_inputs: operands are read from wider numbers by truncation (XF32).

    NaN is 0x7FFFFFFF. Grouped units let a c that is NaN or Inf count as having exponent -1:
    products with exponents above F drop it, as published. Promise: bit-identical across backends,
    and equal to MMA-Sim 2.1.1.

    Raises:
        TypeError, ValueError: impossible widths or formats.

    Example:
        >>> engine = RoundDownFDPA("bf16", "bf16", length=8)

    Reference: Xie et al., MMA-Sim, arXiv 2511.10909 (its code, where text and code differ).
    """

    a_format: AsFloat
    b_format: AsFloat
    length: int = field(kw_only=True)
    frac_bits: int = field(default=24, kw_only=True)
    late_bits: int = field(default=31, kw_only=True)
    grouped: bool = field(default=False, kw_only=True)
    truncate_inputs: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        set_formats(self, ("a_format", "b_format"))
        check_factor("a_format", self.a_format)
        check_factor("b_format", self.b_format)
        integer("length", self.length, 1, 64)
        integer("frac_bits", self.frac_bits, 1, 40)
        integer("late_bits", self.late_bits, self.frac_bits - 1, 44)
        flag("grouped", self.grouped)
        flag("truncate_inputs", self.truncate_inputs)
        if self.product_bits > 40:
            raise ValueError(
                f"a_format={str(self.a_format)!r}, b_format={str(self.b_format)!r}: products of "
                f"{self.product_bits} fraction bits do not fit; use MACChain"
            )

    @property
    def output(self) -> Float:
        """FP32."""
        return FP32

    @property
    def rounding(self) -> str:
        """The mode of the conversion to FP32."""
        return "nearest_even"

    @property
    def product_bits(self) -> int:
        """Fraction bits of a product."""
        return int(self.a_format.man_bits + self.b_format.man_bits)

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        groups = Groups(self.length, 2 if self.grouped else 1)
        rule = GROUPED if self.grouped else LATE
        run_groups(self, job, rule, groups, NO_PRODUCT, self.late_bits, True)
