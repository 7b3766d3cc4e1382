"""FTZ-AddMul: float32 products and sums that flush subnormals (AMD CDNA2)."""

from dataclasses import dataclass, field

import numpy as np

from numformats.backends.chain_task import PlainTask
from numformats.engines.engine import FP16, FP32, AsFloat, Engine, set_formats
from numformats.engines.job import Flush, Job
from numformats.formats import Float

BF16 = Float(8, 7, overflow="infinity")
LOWEST = 2.0**-126  # smallest normal float32


@dataclass(frozen=True)
class FlushedAddMul(Engine):
    """FTZ-AddMul(P): products and sums in float32, nearest even, without subnormals: AMD CDNA2.

    Operands and c that are subnormal count as +0. Each product and each sum is rounded to float32
    and becomes a zero of its sign where it is below 2**-126. ``pairs=2``: ``d = d + (p0 + p1)``;
    ``pairs=4``: ``d = d + ((p0 + p1) + (p2 + p3))``.

    Args:
        fmt: FP16 or BF16, or the name.
        pairs: P, the products that are added before they meet d: 2 or 4.

    NaN is the positive quiet NaN. Promise: bit-identical across backends, and equal to MMA-Sim
    2.1.1 but for the bits of NaN.

    Raises:
        ValueError: another format or number.

    Example:
        >>> engine = FlushedAddMul("bf16", pairs=2)

    Reference: Xie et al., MMA-Sim, arXiv 2511.10909.
    """

    fmt: AsFloat
    pairs: int = field(kw_only=True)

    def __post_init__(self) -> None:
        set_formats(self, ("fmt",))
        if self.fmt not in (FP16, BF16):
            raise ValueError(f"fmt={str(self.fmt)!r}; write 'fp16' or 'bf16'")
        if self.pairs not in (2, 4):
            raise ValueError(f"pairs={self.pairs!r}; write 2 or 4")

    @property
    def inputs(self) -> tuple[Float, Float]:
        """The formats of a and b."""
        return self.fmt, self.fmt

    @property
    def results(self) -> Float:
        """The format of c and of the results."""
        return FP32

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        low, read = float(self.fmt.smallest_normal), job.reader.read
        how = {"multiple": self.pairs, "flush": Flush(low, signed=False)}
        a = read(job.a, self.fmt, np.float32, axis=2, **how)
        b = read(job.b, self.fmt, np.float32, axis=1, **how)
        job.reader.flush(job.out, Flush(LOWEST, signed=False))
        lows = (low, low, LOWEST)
        job.backend.plain(
            PlainTask("flushed", a, b, job.a.at, job.b.at, job.out, self.pairs, lows=lows)
        )
