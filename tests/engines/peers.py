"""The same units in MMA-Sim, found by its own tables; operands as its tensors."""

from __future__ import annotations

import os
import pathlib
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import numformats as nf

torch = pytest.importorskip("torch")
# MMA-Sim builds an extension with ninja, which pip put beside this Python
os.environ["PATH"] = f"{pathlib.Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
NVIDIA = {
    "nvidia-v100": "Volta",
    "nvidia-t4": "Turing",
    "nvidia-a100": "Ampere",
    "nvidia-ada": "Ada Lovelace",
    "nvidia-h100": "Hopper",
    "nvidia-b200": "Blackwell",
    "nvidia-rtx-blackwell": "RTX Blackwell",
}
CDNA = {"amd-mi100": "CDNA1", "amd-mi250": "CDNA2", "amd-mi300": "CDNA3"}
PTX = {"fp16": "f16", "fp32": "f32", "fp64": "f64"}
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
MFMA = {
    ("amd-mi100", "fp32"): "f32_16x16x4f32",
    ("amd-mi100", "fp16"): "f32_16x16x16f16",
    ("amd-mi100", "bf16"): "f32_16x16x8bf16",
    ("amd-mi250", "fp64"): "f64_16x16x4f64",
    ("amd-mi250", "fp32"): "f32_16x16x4f32",
    ("amd-mi250", "fp16"): "f32_16x16x16f16",
    ("amd-mi250", "bf16"): "f32_16x16x8bf16",
    ("amd-mi300", "fp64"): "f64_16x16x4_f64",
    ("amd-mi300", "fp32"): "f32_16x16x4_f32",
    ("amd-mi300", "tf32"): "f32_16x16x8_xf32",
    ("amd-mi300", "fp16"): "f32_16x16x16_f16",
    ("amd-mi300", "bf16"): "f32_16x16x16_bf16",
}
BF8 = {"e4m3fnuz": "fp8", "e5m2fnuz": "bf8"}


def has_peer(unit: Any) -> bool:
    """MMA-Sim lists no FP8 ``mma.sync`` on Hopper and Blackwell, and no CPUs."""
    return not isinstance(unit.engine, nf.engines.EmulatedFDPA | nf.engines.PairedDot)


def peer(unit: Any) -> Any:
    """MMA-Sim's operation for a unit."""
    if unit.chip in CDNA:
        return _mfma(unit)
    from mmasim import nv_ptx

    a, b, d = (PTX.get(x, x) for x in (unit.a, unit.b, unit.output))
    family, _, kind = unit.path.partition(".")
    arch = NVIDIA[unit.chip]
    if unit.scale:
        k = 32 if kind == "mxf8f6f4" else 64
        scale = f"block{unit.scale_block}.f32.{a}.{b}"
        if family == "tcgen05":
            name = f"m128n8k{k}.kind::{kind}.{scale}.u{unit.scale}"
            return nv_ptx.TCGen05MMABlockScale(arch, name)
        return nv_ptx.MMABlockScale(arch, f"m16n8k{k}.kind::{kind}.{scale}.f32.u{unit.scale}")
    width = {"tf32": 8, "f16": 16, "bf16": 16}.get(a, 32)
    if family == "wgmma":
        return nv_ptx.WGMMA(arch, f"m64n8k{width}.{d}.{a}.{b}")
    if family == "tcgen05":
        group = {"f16": "f16", "bf16": "f16", "tf32": "tf32"}.get(a, "f8f6f4")
        return nv_ptx.TCGen05MMA(arch, f"m128n8k{width}.kind::{group}.{d}.{a}.{b}")
    return nv_ptx.MMA(arch, _mma(unit, kind, width, f"{d}.{a}.{b}.{d}"))


def _mma(unit: Any, kind: str, width: int, types: str) -> str:
    if unit.a == "fp64":
        return f"m8n8k4.{types}"
    if unit.chip == "nvidia-v100" or kind == "m8n8k4":
        return f"m8n8k4.{types}"
    if unit.chip == "nvidia-t4":
        return f"m16n8k8.{types}"
    group = "kind::f8f6f4." if unit.chip == "nvidia-rtx-blackwell" and width == 32 else ""
    return f"m16n8k{width}.{group}{types}"


def _mfma(unit: Any) -> Any:
    from mmasim import amd

    if unit.a in BF8:
        name = f"f32_16x16x32_{BF8[unit.a]}_{BF8[unit.b]}"
    else:
        name = MFMA[unit.chip, unit.a]
        name = "f32_16x16x16bf16_1k" if unit.path == "mfma_1k" else name
    return amd.MFMA(CDNA[unit.chip], name)


def tensor(x: np.ndarray, name: str, coded: bool = True) -> Any:
    """Numbers of a format as MMA-Sim takes them: in torch's dtype, or as bytes."""
    if name in SIX_BITS:
        if not coded:
            return torch.from_numpy(x).half()
        codes = nf.encode(x, name).astype(np.uint8) << SIX_BITS[name]
        return torch.from_numpy(codes)
    return torch.from_numpy(x).to(TENSORS[name])


def run(unit: Any, operands: Callable[[int], tuple[Any, ...]]) -> tuple[Any, Any]:
    """Our result and MMA-Sim's for ``operands(K)``: a, b, c and, for scaled units, both scales."""
    sim = peer(unit)
    a, b, c, *scales = operands(sim.k)
    coded = sim.k != 64
    given = [tensor(a, unit.a, coded), tensor(b, unit.b, coded), torch.from_numpy(c)]
    given += [tensor(s, unit.scale) for s in scales]
    names = dict(zip(("scale_a", "scale_b"), scales, strict=False))
    with np.errstate(all="ignore"):
        return nf.matmul(a, b, c, engine=unit.engine, **names), sim(*given).numpy()
