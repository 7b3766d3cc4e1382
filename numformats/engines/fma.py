"""FMA chains: IEEE 754 fused multiply-adds in order of k."""

from dataclasses import dataclass

from numformats.backends.chain_task import PlainTask
from numformats.engines.engine import FP32, FP64, AsFloat, Engine, set_formats
from numformats.engines.job import Job
from numformats.formats import Float


@dataclass(frozen=True)
class FMAChain(Engine):
    """FMA: ``d = fma(a_k, b_k, d)`` for ascending k, from ``d = c``; IEEE 754, nearest even.

    Args:
        fmt: FP32 or FP64, the format of operands, c and results.

    NaN results are the positive quiet NaN. Promise: exact (every step is correctly rounded), so
    bit-identical across backends.

    Raises:
        ValueError: another format.

    Example:
        >>> engine = FMAChain("fp64")

    Reference: IEEE 754-2019, section 5.4.1; units that do this: NVIDIA FP64, AMD FP64 and FP32.
    """

    fmt: AsFloat = FP32

    def __post_init__(self) -> None:
        set_formats(self, ("fmt",))
        if self.fmt not in (FP32, FP64):
            raise ValueError(f"fmt={str(self.fmt)!r}; write 'fp32' or 'fp64', or use MACChain")

    @property
    def inputs(self) -> tuple[Float, Float]:
        """The formats of a and b."""
        return self.fmt, self.fmt

    @property
    def results(self) -> Float:
        """The format of c and of the results."""
        fmt: Float = self.fmt
        return fmt

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        a, b = (job.reader.read(x, self.fmt, job.out.dtype) for x in (job.a, job.b))
        job.backend.plain(PlainTask("fma", a, b, job.a.at, job.b.at, job.out))
