"""Pairwise bfloat16 dot products of CPUs: AVX-512 and AMX (Intel), BFDOT and BFMMLA (Arm)."""

from dataclasses import dataclass

import numpy as np

from numformats.backends.chain_task import PlainTask, Step
from numformats.checks import choice
from numformats.engines.engine import FP32, Engine
from numformats.engines.flushed import BF16, LOWEST
from numformats.engines.job import Flush, Job
from numformats.engines.running import output_grid
from numformats.formats import Float
from numformats.rounding import find

TILE = 32  # elements of a row of an AMX tile
LENGTHS = {"vdpbf16ps": 2, "tdpbf16ps": TILE, "bfdot": 2}


@dataclass(frozen=True)
class PairedDot(Engine):
    """bfloat16 pairs into float32, without subnormals, as three instructions of CPUs do it.

    ``vdpbf16ps`` (AVX512-BF16): ``d = fma(a0, b0, fma(a1, b1, d))``, nearest even. ``tdpbf16ps``
    (AMX): the even elements of a tile of 32 and its odd ones are accumulated apart from 0 by fused
    multiply-adds, added, and their sum is added to d. ``bfdot`` (Arm BFDOT, BFMMLA without
    FEAT_EBF16): ``d = d + (a0 * b0 + a1 * b1)``, each operation rounded to odd, overflow to Inf.
    Subnormal operands, results and c become zeros of their sign.

    Args:
        instruction: ``"vdpbf16ps"``, ``"tdpbf16ps"`` or ``"bfdot"``.

    The order of the last two sums of ``tdpbf16ps`` is not documented without doubt. NaN is the
    positive quiet NaN. Promise: bit-identical across backends.

    Raises:
        ValueError: another instruction.

    Example:
        >>> engine = PairedDot("bfdot")

    Reference: Intel SDM (VDPBF16PS), Intel ISA Extensions Reference (TDPBF16PS), oneDNN; Arm
    Architecture Reference Manual (BFDotAdd).
    """

    instruction: str

    def __post_init__(self) -> None:
        choice("instruction", self.instruction, tuple(LENGTHS))

    @property
    def inputs(self) -> tuple[Float, Float]:
        """The formats of a and b."""
        return BF16, BF16

    @property
    def results(self) -> Float:
        """The format of c and of the results."""
        return FP32

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        flush, read = Flush(LOWEST, signed=True), job.reader.read
        a = read(job.a, BF16, np.float32, axis=2, multiple=2, flush=flush)
        b = read(job.b, BF16, np.float32, axis=1, multiple=2, flush=flush)
        job.reader.flush(job.out, flush)
        step = Step(FP32, find("to_odd"), output_grid(FP32, "to_odd", True), 0)
        length = LENGTHS[self.instruction]
        job.backend.plain(
            PlainTask(self.instruction, a, b, job.a.at, job.b.at, job.out, length, step)
        )
