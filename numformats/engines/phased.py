"""Products in fidelity phases: multipliers that take a part of each significand at a time."""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from numformats.checks import integer
from numformats.engines.engine import FP32, AsFloat, Engine, set_formats
from numformats.engines.job import Job, Operand, numbers
from numformats.engines.mac import MACChain
from numformats.formats import Float
from numformats.lanes import CARRIERS

BLOCK = 16  # products that are added from zero
# float32 bits that a part of a significand lacks: the leading part, and the one after it
LEFT = (0x0001FFFF, 0xFFFE1FFF)  # 1 + 6 bits, then 4
RIGHT = (0x0007FFFF, 0xFFF83FFF)  # 1 + 4 bits, then 5


@dataclass(frozen=True)
class PhasedChain(Engine):
    """Multiply-adds in up to four phases: Tenstorrent's matrix unit.

    Multipliers take 7 bits of the left significand and 5 of the right one. Phase 0 multiplies the
    leading parts (1 + 6 bits and 1 + 4), phase 1 the left leading one by the next 5 bits of the
    right one, phase 2 the next 4 of the left one by the right leading one, phase 3 both next ones;
    what lies beyond is ignored. Every 16 products of a phase are added from zero in FP32, to
    nearest even in order of k, and their sum to d; all phases of 16 products, then the next 16.

    Args:
        a_format: format of a (SrcB), or its name; b_format: of b (SrcA): at most 10 fraction bits.
        phases: how many are run; with BF16 4 use all bits, 2 with few bits on the right.

    Subnormal operands become zero (formats with fewer than 5 exponent bits are widened before). The
    chip may order and fuse operations in other ways, as its documents say, and NaN and Inf differ
    there. In host memory only. Promise: bit-identical across backends.

    Raises:
        TypeError, ValueError: wider formats.

    Example:
        >>> engine = PhasedChain("bf16", "bf16", phases=2)

    Reference: Tenstorrent, tt-isa-documentation, Wormhole B0, MVMUL (functional model).
    """

    a_format: AsFloat
    b_format: AsFloat
    phases: int = field(default=4, kw_only=True)

    host_only = True

    def __post_init__(self) -> None:
        set_formats(self, ("a_format", "b_format"))
        integer("phases", self.phases, 1, 4)
        for name, fmt in zip(("a_format", "b_format"), self.inputs, strict=True):
            assert isinstance(fmt, Float)
            if fmt.man_bits > 10 or fmt.emax > 127 or fmt.low_exponent < -149:
                raise ValueError(
                    f"{name}={str(fmt)!r}: the unit reads at most TF32; write 'tf32' or 'bf16'"
                )

    @property
    def results(self) -> Float:
        """The format of c and of the results."""
        return FP32

    def run(self, job: Job) -> None:
        """Add the products of ``job`` to ``job.out``."""
        a = self._phases(job.a, self.a_format, 2, LEFT, 1)
        b = self._phases(job.b, self.b_format, 1, RIGHT, 0)
        chain = MACChain(self.a_format, self.b_format, accumulator=FP32, chunk=BLOCK)
        chain.run(replace(job, a=a, b=b))

    def _phases(self, x: Operand, fmt: Float, axis: int, lacks: Any, bit: int) -> Operand:
        """The part of every element that a phase reads, phase after phase in blocks along K."""
        found = numbers(x, fmt, np.float32)
        pad = [(0, 0)] * 3
        pad[axis] = (0, -found.shape[axis] % BLOCK)
        low = fmt.smallest_normal if fmt.exp_bits >= 5 else 0  # registers have 5 bits, or 8
        whole = np.pad(np.where(np.abs(found) < low, np.float32(0), found), pad)
        head, tail = whole.shape[:axis], whole.shape[axis + 1 :]
        blocks = whole.reshape(*head, -1, BLOCK, *tail)
        parts = [part(blocks, lacks[p >> bit & 1], p >> bit & 1) for p in range(self.phases)]
        bits = np.stack(parts, axis + 1).reshape(*head, -1, *tail)
        return Operand(x.name, bits, CARRIERS["float32"], x.at, bits.shape)


def part(x: Any, lacks: int, second: int) -> Any:
    """The leading part of float32 significands, or the ``second`` one, with sign and exponent."""
    kept = x.view(np.uint32) & np.uint32(lacks if second else ~lacks & 0xFFFFFFFF)
    with np.errstate(invalid="ignore"):  # NaN and Inf
        return x - kept.view(np.float32) if second else kept.view(np.float32)
