"""FP8 products of ``mma.sync`` on Hopper and Blackwell, which the FP16 unit computes."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numformats.checks import integer
from numformats.engines.engine import FP16, FP32, NAN32, AsFloat, Engine, set_formats
from numformats.engines.fdpa import TruncatedFDPA
from numformats.engines.job import Job


@dataclass(frozen=True)
class EmulatedFDPA(Engine):
    """FP8 ``mma.sync`` without a native path: chunks of ``chunk`` products on a 16-bit unit.

    FP8 operands are widened to FP16. In every chunk the products with k mod 4 in {0, 1}, then
    those with k mod 4 in {2, 3}, go through T-FDPA(L=16, F=25), from 0; the chunk's sum is then
    added to c, rounded to nearest even.

    Args:
        a_format: format of a, or its name; b_format: of b: formats whose values FP16 holds.
        output: FP32 (the T-FDPA truncates) or FP16 (it rounds to nearest even).
        chunk: products an instruction, a multiple of 4.

    Promise: bit-identical across backends; equal to all recorded outputs of H100 (FP8 to FP16) and
    B200 (FP8 to FP32 and FP16).

    Raises:
        TypeError, ValueError: other formats.

    Example:
        >>> engine = EmulatedFDPA("e4m3", "e5m2")

    Reference: recorded outputs of north-numerical-computing/MATLAB-tensor-core.
    """

    a_format: AsFloat
    b_format: AsFloat
    output: AsFloat = field(default=FP32, kw_only=True)
    chunk: int = field(default=32, kw_only=True)

    def __post_init__(self) -> None:
        set_formats(self, ("a_format", "b_format", "output"))
        integer("chunk", self.chunk, 4, 1024)
        if self.chunk % 4:
            raise ValueError(f"chunk={self.chunk}; write a multiple of 4")
        if self.output not in (FP16, FP32):
            raise ValueError(f"output={str(self.output)!r}; write 'fp32' or 'fp16'")
        for name in ("a_format", "b_format"):
            fmt = getattr(self, name)
            if fmt.man_bits > 10 or fmt.emax > 15 or fmt.low_exponent < -24:
                raise ValueError(f"{name}={str(fmt)!r}: FP16 does not hold its values")

    @property
    def unit(self) -> TruncatedFDPA:
        """The unit that computes the chunks."""
        half = self.output == FP16
        return TruncatedFDPA(
            FP16,
            FP16,
            output=self.output,
            length=16,
            frac_bits=25,
            rounding="nearest_even" if half else "toward_zero",
            zero_exp=-21 if half else -133,
        )

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        reader, unit = job.reader, self.unit
        reader.check(job.a, self.a_format)
        reader.check(job.b, self.b_format)
        for k in range(0, job.a.bits.shape[2], self.chunk):
            places = dealt(job.a.bits.shape[2], k, self.chunk)
            sums = reader.zeros(job.out)
            a, b = reader.taken(job.a, places, 2), reader.taken(job.b, places, 1)
            unit.run(replace(job, a=a, b=b, out=sums))
            reader.add(job.out, sums, self.output, NAN32)


def dealt(count: int, first: int, chunk: int) -> Any:
    """Indices of one chunk in the order of the unit; ``count`` stands for a zero."""
    k = np.arange(first, first + chunk)
    order = np.concatenate([k[k % 4 < 2], k[k % 4 >= 2]])
    half = chunk // 2
    padded = np.full(2 * (-(-half // 16) * 16), count)
    padded[:half], padded[padded.size // 2 : padded.size // 2 + half] = order[:half], order[half:]
    return np.minimum(padded, count)
