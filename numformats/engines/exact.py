"""E-FDPA: exact dot products with one rounding (AMD CDNA1)."""

from dataclasses import dataclass, field

import numpy as np

from numformats.backends.chain_task import PlainTask
from numformats.checks import integer
from numformats.engines.engine import FP32, AsFloat, Engine, set_formats
from numformats.engines.job import Job
from numformats.engines.mac import MACChain
from numformats.engines.running import deterministic


@dataclass(frozen=True)
class ExactFDPA(Engine):
    """E-FDPA(L): c plus ``length`` products, added exactly and rounded once; the result is the c of
    the next group.

    Args:
        a_format: format of a, or its name; b_format: of b.
        length: L, products a group.
        output: format of c and of the results.
        rounding: mode of the one rounding.

    NaN is the positive quiet NaN; an exact zero is +0, even of terms that are -0. Promise: exact,
    so bit-identical across backends; with FP32 and nearest even equal to MMA-Sim 2.1.1 but for the
    bits of NaN.

    Raises:
        TypeError, ValueError: formats whose products float64 cannot hold.

    Example:
        >>> engine = ExactFDPA("fp16", "fp16", length=4)

    Reference: Xie et al., MMA-Sim, arXiv 2511.10909; Shewchuk, "Adaptive precision floating-point
    arithmetic and fast robust geometric predicates", 1997 (the expansions behind the exact sum).
    """

    a_format: AsFloat
    b_format: AsFloat
    length: int = field(kw_only=True)
    output: AsFloat = field(default=FP32, kw_only=True)
    rounding: str = field(default="nearest_even", kw_only=True)

    def __post_init__(self) -> None:
        set_formats(self, ("a_format", "b_format", "output"))
        integer("length", self.length, 1, 256)
        deterministic(self.rounding)
        self._chain()

    def _chain(self) -> MACChain:
        """The rounding step and the checks of formats are those of a chain."""
        return MACChain(
            self.a_format, self.b_format, accumulator=self.output, rounding=self.rounding
        )

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        a = job.reader.read(job.a, self.a_format, np.float64)
        b = job.reader.read(job.b, self.b_format, np.float64)
        step = self._chain().step(self.output, self.rounding)
        task = PlainTask("exact", a, b, job.a.at, job.b.at, job.out, self.length, step)
        job.backend.plain(task)
