"""The matrix units of chips, as one table of data.

Sources: MMA-Sim 2.1.1 (arXiv 2511.10909) for all rows but the emulated FP8 of ``mma.sync``, which
rests on recorded outputs; the recorded outputs also cover V100, A100, Ada, H100 and B200 rows.
``L``, ``F`` and ``e_zero`` as in ``TruncatedFDPA``. Where a path has instructions with several K,
the row is the one with the largest.
"""

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from numformats.engines.emulated import EmulatedFDPA
from numformats.engines.engine import FP16, FP32, FP64, Engine
from numformats.engines.exact import ExactFDPA
from numformats.engines.fdpa import TruncatedFDPA
from numformats.engines.flushed import BF16, FlushedAddMul
from numformats.engines.fma import FMAChain
from numformats.engines.group_scaled import GroupScaledFDPA
from numformats.engines.paired import PairedDot
from numformats.engines.round_down import RoundDownFDPA
from numformats.small_float import Float

E8M13 = Float(8, 13, overflow="infinity")  # FP32 with 13 fraction bits, in an FP32 container
FP8 = ("e4m3", "e5m2")
FP8_TO_4 = ("e5m2", "e4m3", "e3m2", "e2m3", "e2m1")
FNUZ = ("e4m3fnuz", "e5m2fnuz")


class Unit(NamedTuple):
    """One unit of one chip: what selects it, and its engine."""

    chip: str
    path: str  #: the instruction family
    a: str
    b: str
    output: str
    engine: Engine
    scale: str = ""  #: format of block scales, where the unit takes them
    scale_block: int = 0


class Row(NamedTuple):
    """T-FDPA units of a chip: every pair of ``inputs`` where ``mixed``, else equal inputs."""

    chip: str
    paths: tuple[str, ...]
    inputs: tuple[str, ...]
    length: int
    frac_bits: int
    zero_exp: int  #: with FP32 output
    half_zero_exp: int | None = None  #: with FP16 output, where the unit has it
    mixed: bool = False
    output: Float = FP32


_H, _B, _R = "nvidia-h100", "nvidia-b200", "nvidia-rtx-blackwell"
TRUNCATED = (
    Row("nvidia-v100", ("mma",), ("fp16",), 4, 23, -131, -19),
    Row("nvidia-t4", ("mma",), ("fp16",), 8, 24, -132, -20),
    Row("nvidia-t4", ("mma.m8n8k4",), ("fp16",), 4, 23, -131, -19),
    Row("nvidia-a100", ("mma",), ("tf32",), 4, 24, -132),
    Row("nvidia-a100", ("mma",), ("fp16",), 8, 24, -132, -20),
    Row("nvidia-a100", ("mma",), ("bf16",), 8, 24, -132),
    Row("nvidia-ada", ("mma",), ("tf32",), 4, 24, -132),
    Row("nvidia-ada", ("mma",), ("fp16",), 8, 24, -132, -20),
    Row("nvidia-ada", ("mma",), ("bf16",), 8, 24, -132),
    Row("nvidia-ada", ("mma",), FP8, 16, 13, -132, -20, True, E8M13),
    Row(_H, ("mma", "wgmma"), ("tf32",), 8, 25, -133),
    Row(_H, ("mma", "wgmma"), ("fp16",), 16, 25, -133, -21),
    Row(_H, ("mma", "wgmma"), ("bf16",), 16, 25, -133),
    Row(_H, ("wgmma",), FP8, 32, 13, -133, -21, True, E8M13),
    Row(_B, ("mma", "tcgen05"), ("tf32",), 8, 25, -133),
    Row(_B, ("mma", "tcgen05"), ("fp16",), 16, 25, -133, -21),
    Row(_B, ("mma", "tcgen05"), ("bf16",), 16, 25, -133),
    Row(_B, ("tcgen05",), FP8_TO_4, 32, 25, -133, -21, True),
    Row(_R, ("mma",), ("tf32",), 8, 25, -133),
    Row(_R, ("mma",), ("fp16",), 16, 25, -133, -21),
    Row(_R, ("mma",), ("bf16",), 16, 25, -133),
    Row(_R, ("mma",), FP8_TO_4, 32, 25, -133, -21, True),
)
FLOAT64 = (("nvidia-a100", "mma"), ("nvidia-ada", "mma"), (_H, "mma"), (_B, "mma"), (_R, "mma"))
SCALED = ((_B, "tcgen05"), (_R, "mma"))
EMULATED = ((_H, "mma"), (_B, "mma"))
AMD: tuple[tuple[str, str, str, Engine], ...] = (
    ("amd-mi100", "mfma", "fp32", FMAChain(FP32)),
    ("amd-mi100", "mfma", "fp16", ExactFDPA(FP16, FP16, length=4)),
    ("amd-mi100", "mfma", "bf16", ExactFDPA(BF16, BF16, length=2)),
    ("amd-mi250", "mfma", "fp64", FMAChain(FP64)),
    ("amd-mi250", "mfma", "fp32", FMAChain(FP32)),
    ("amd-mi250", "mfma", "bf16", FlushedAddMul(BF16, pairs=2)),
    ("amd-mi250", "mfma_1k", "bf16", FlushedAddMul(BF16, pairs=4)),
    ("amd-mi250", "mfma", "fp16", FlushedAddMul(FP16, pairs=4)),
    ("amd-mi300", "mfma", "fp64", FMAChain(FP64)),
    ("amd-mi300", "mfma", "fp32", FMAChain(FP32)),
    ("amd-mi300", "mfma", "fp16", RoundDownFDPA("fp16", "fp16", length=8)),
    ("amd-mi300", "mfma", "bf16", RoundDownFDPA(BF16, BF16, length=8)),
)
CPUS = (
    ("intel-avx512", "vdpbf16ps"),
    ("intel-amx", "tdpbf16ps"),
    ("arm-bf16", "bfdot"),
)
XF32 = Float(8, 10, overflow="infinity")
ALIASES = {
    "nvidia-a30": "nvidia-a100",
    "nvidia-a2": "nvidia-a100",
    "nvidia-l4": "nvidia-ada",
    "nvidia-l40s": "nvidia-ada",
    "nvidia-rtx4090": "nvidia-ada",
    "nvidia-h200": "nvidia-h100",
    "nvidia-h800": "nvidia-h100",
    "nvidia-rtx5090": "nvidia-rtx-blackwell",
    "nvidia-rtx-pro-6000": "nvidia-rtx-blackwell",
    "amd-mi210": "amd-mi250",
    "amd-mi250x": "amd-mi250",
    "amd-mi300a": "amd-mi300",
    "amd-mi300x": "amd-mi300",
}


def _truncated(row: Row) -> Iterator[Unit]:
    pairs = product(row.inputs, row.inputs) if row.mixed else ((x, x) for x in row.inputs)
    outputs = [("fp32", row.output, FP32, "toward_zero", row.zero_exp)]
    if row.half_zero_exp is not None:
        outputs.append(("fp16", FP16, FP16, "nearest_even", row.half_zero_exp))
    for (a, b), path, (name, fmt, c, rho, zero) in product(list(pairs), row.paths, outputs):
        engine = TruncatedFDPA(
            a, b, output=fmt, length=row.length, frac_bits=row.frac_bits, rounding=rho,
            zero_exp=zero, c_format=c, truncate_inputs=a == "tf32",
        )  # fmt: skip
        yield Unit(row.chip, path, a, b, name, engine)


def _scaled(chip: str, family: str) -> Iterator[Unit]:
    for a, b in product(FP8_TO_4, FP8_TO_4):
        engine = TruncatedFDPA(a, b, length=32, frac_bits=25, scale="e8m0")
        yield Unit(chip, f"{family}.mxf8f6f4", a, b, "fp32", engine, "e8m0", 32)
    for kind, scale, block in (
        ("mxf4", "e8m0", 32),
        ("mxf4nvf4", "e8m0", 32),
        ("mxf4nvf4", "e8m0", 16),
        ("mxf4nvf4", "e4m3", 16),
    ):
        four = GroupScaledFDPA("e2m1", "e2m1", scale=scale, scale_block=block)
        yield Unit(chip, f"{family}.{kind}", "e2m1", "e2m1", "fp32", four, scale, block)


def _all() -> Iterator[Unit]:
    for row in TRUNCATED:
        yield from _truncated(row)
    for chip, path in FLOAT64:
        yield Unit(chip, path, "fp64", "fp64", "fp64", FMAChain(FP64))
    for chip, family in SCALED:
        yield from _scaled(chip, family)
    for (chip, path), a, b, output in product(EMULATED, FP8, FP8, (FP32, FP16)):
        yield Unit(chip, path, a, b, str(output), EmulatedFDPA(a, b, output=output))
    for chip, path, name, engine in AMD:
        yield Unit(chip, path, name, name, "fp64" if name == "fp64" else "fp32", engine)
    xf32 = RoundDownFDPA(XF32, XF32, length=4, truncate_inputs=True)
    yield Unit("amd-mi300", "mfma", "tf32", "tf32", "fp32", xf32)
    for a, b in product(FNUZ, FNUZ):
        late = RoundDownFDPA(a, b, length=16, grouped=True)
        yield Unit("amd-mi300", "mfma", a, b, "fp32", late)


def _cpus() -> Iterator[Unit]:
    for chip, instruction in CPUS:
        yield Unit(chip, instruction, "bf16", "bf16", "fp32", PairedDot(instruction))


UNITS: tuple[Unit, ...] = (*_all(), *_cpus())
