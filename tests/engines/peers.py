"""MMA-Sim's own tables of instructions, each with the unit of ours that it is a peer of."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytest

import numformats as nf

torch = pytest.importorskip("torch")
torch.set_num_threads(1)  # its small steps are no faster on more, and tests run side by side
# MMA-Sim builds an extension with ninja, which pip put beside this Python
os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
try:
    from mmasim import amd, nv_ptx
    from mmasim.amd.isa_mfma import arch_mfma_suffix
    from mmasim.nv_ptx import isa_mma, isa_tcgen05mma, isa_wgmma
except (ImportError, OSError, RuntimeError) as error:  # it compiles C++ on import
    pytest.skip(f"mmasim cannot be imported: {error}", allow_module_level=True)

CHIPS = {
    "Volta": "nvidia-v100",
    "Turing": "nvidia-t4",
    "Ampere": "nvidia-a100",
    "Ada Lovelace": "nvidia-ada",
    "Hopper": "nvidia-h100",
    "Blackwell": "nvidia-b200",
    "RTX Blackwell": "nvidia-rtx-blackwell",
    "CDNA1": "amd-mi100",
    "CDNA2": "amd-mi250",
    "CDNA3": "amd-mi300",
}
NAMES = {"f16": "fp16", "f32": "fp32", "f64": "fp64", "ue8m0": "e8m0", "ue4m3": "e4m3"}
TENSORS = {
    "fp64": torch.float64,
    "fp32": torch.float32,
    "tf32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "e4m3": torch.float8_e4m3fn,
    "e5m2": torch.float8_e5m2,
    "e4m3fnuz": torch.float8_e4m3fnuz,
    "e5m2fnuz": torch.float8_e5m2fnuz,
    "e8m0": torch.float8_e8m0fnu,
}
SIX_BITS = {"e3m2": 0, "e2m3": 0, "e2m1": 2}  # left shift of the code in MMA-Sim's bytes
NVIDIA = (
    ("mma", isa_mma.mma_shape_and_type, nv_ptx.MMA),
    ("mma", isa_mma.mma_block_scale_shape_and_type, nv_ptx.MMABlockScale),
    ("wgmma", isa_wgmma.wgmma_shape_and_type, nv_ptx.WGMMA),
    ("tcgen05", isa_tcgen05mma.tcgen05mma_shape_and_type, nv_ptx.TCGen05MMA),
    (
        "tcgen05",
        isa_tcgen05mma.tcgen05mma_block_scale_shape_and_type,
        nv_ptx.TCGen05MMABlockScale,
    ),
)


class Instruction(NamedTuple):
    """A row of MMA-Sim's tables, shapes of one K taken together."""

    chip: str
    path: str
    a: str
    b: str
    output: str
    scale: str
    scale_block: int
    c: str
    k: int
    make: Any  #: MMA-Sim's class
    arch: str
    name: str


def _nvidia(path: str, arch: str, name: str, make: Any) -> Instruction:
    shape, *words = name.split(".")
    k, kind, block = int(shape.partition("k")[2]), "", 0
    types = []
    for word in words:
        if word.startswith("kind::mx"):
            kind = "." + word.removeprefix("kind::")
        elif word.startswith("block"):
            block = int(word.removeprefix("block"))
        elif not word.startswith("kind::"):
            types.append(NAMES.get(word, word))
    if arch == "Turing" and shape == "m8n8k4":
        kind = ".m8n8k4"
    scale = types.pop() if block else ""
    d, a, b, *c = types
    return Instruction(
        CHIPS[arch], path + kind, a, b, d, scale, block, c[0] if c else d, k, make, arch, name
    )


def _amd(arch: str, name: str) -> Instruction:
    op = amd.MFMA(arch, name)
    names = {dtype: name for name, dtype in TENSORS.items() if name != "tf32"}
    a, b = ("tf32" if name.endswith("xf32") else names[t] for t in (op.a_type, op.b_type))
    path = "mfma_1k" if name.endswith("_1k") else "mfma"
    output = "fp64" if a == "fp64" else "fp32"
    return Instruction(CHIPS[arch], path, a, b, output, "", 0, output, op.k, amd.MFMA, arch, name)


def _all() -> Iterator[Instruction]:
    for path, table, make in NVIDIA:
        for arch, names in table.items():
            for name in names:
                yield _nvidia(path, arch, name, make)
    for arch, names in arch_mfma_suffix.items():
        for name in names:
            yield _amd(arch, name)


#: instructions that differ in more than their M and N
INSTRUCTIONS = tuple({row[:10]: row for row in _all()}.values())
UNITS = {unit[:5] + unit[6:]: unit for unit in nf.engines.units()}


def unit_of(row: Instruction) -> Any:
    """Our unit for an instruction, of its length and with its format of c."""
    unit = UNITS[row[:7]]
    changes: dict[str, Any] = {}
    if hasattr(unit.engine, "length"):
        changes["length"] = min(unit.engine.length, row.k)
    if row.c != row.output:
        changes["c_format"] = row.c
    return unit._replace(engine=replace(unit.engine, **changes))


def tensor(x: np.ndarray, name: str, coded: bool = True) -> Any:
    """Numbers of a format as MMA-Sim takes them: in torch's dtype, or as bytes."""
    if name in SIX_BITS:
        if not coded:
            return torch.from_numpy(x).half()
        codes = nf.encode(x, name).astype(np.uint8) << SIX_BITS[name]
        return torch.from_numpy(codes)
    return torch.from_numpy(x).to(TENSORS[name])


def results(row: Instruction, a: Any, b: Any, c: Any, *scales: Any) -> Any:
    """MMA-Sim's result, one instruction after another along K.

    Its formulas are elementwise, so rows and columns are handed over as (M, 1, K) and (1, N, K): an
    operand is taken apart once, not once a result.
    """
    sim, d = row.make(row.arch, row.name), torch.from_numpy(c)
    x = tensor(a, row.a, row.k != 64)[:, None, :]
    y = tensor(b, row.b, row.k != 64).T[None, :, :]
    if row.a in ("fp32", "fp64"):  # a loop in C++ that broadcasts nothing
        x, y = torch.broadcast_tensors(x, y)
    given = [(x, row.k), (y, row.k)]
    if scales:
        count = row.k // row.scale_block
        u, v = (tensor(s, row.scale) for s in scales)
        given += [(u[:, None, :], count), (v.T[None, :, :], count)]
    for i in range(a.shape[1] // row.k):
        p, q, *levels = (z[..., i * n : (i + 1) * n] for z, n in given)
        d = sim.dpa(p, q, d, *levels)
    return d.numpy()


def both(row: Instruction, operands: tuple[Any, ...]) -> tuple[Any, Any]:
    """Our result and MMA-Sim's for a, b, c and, for scaled units, both scales."""
    a, b, c, *scales = operands
    names = dict(zip(("scale_a", "scale_b"), scales, strict=False))
    with np.errstate(all="ignore"):
        got = nf.matmul(a, b, c, engine=unit_of(row).engine, **names)
        return got, results(row, *operands)
