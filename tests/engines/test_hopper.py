"""Law: an H100 computes what its presets say, instruction by instruction and through torch. The
instructions are skipped where no such chip is; that they assemble and where their registers lie is
checked anywhere.
"""

from __future__ import annotations

import pathlib
import re
from typing import Any

import numpy as np
import pytest

import numformats as nf
from tests.engines.hopper import (
    PLACES,
    PTX_NAMES,
    WORDS,
    elements_per_word,
    instruction,
    products,
    stored,
)
from tests.engines.inputs import assert_equal_bits, operands, raw_operands
from tests.host_cuda import build
from tests.nvrtc import compiled
from tests.test_gpu import CUDA

UNITS = [u for u in nf.engines.units() if u.chip == "nvidia-h100" and u.a in PTX_NAMES]
SIDE = 1024  # 2**20 results, of random bits and of hard numbers each
MAKERS = (operands, raw_operands)


def on_hopper() -> bool:
    if not CUDA:
        return False
    import torch

    return torch.cuda.get_device_capability() == (9, 0)


needs_hopper = pytest.mark.skipif(not on_hopper(), reason="no H100 or H200")


def label(unit: Any) -> str:
    return f"{unit.path} {unit.a} {unit.b} {unit.output}"


def given(unit: Any, make: Any, steps: int, side: int = SIDE) -> tuple[np.ndarray, ...]:
    """Operands of ``steps`` instructions along K; TF32 words with all their bits."""
    k = WORDS * elements_per_word(unit.a) * steps
    a, b, c = make(unit, side, side, k, 31 + steps)
    return a, b, c


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("unit", UNITS, ids=label)
def test_operands_are_words_that_the_kernel_reads(unit: Any, make: Any) -> None:
    """So that nothing but the chip is met for the first time there."""
    a, b, c = given(unit, make, 3, 64)
    left, right, start = stored(a, unit.a), stored(b.T, unit.b), np.ascontiguousarray(c)
    assert left.shape == right.shape == (64, 3 * WORDS)
    assert left.dtype == right.dtype == np.uint32
    assert start.dtype == (np.float32 if unit.output == "fp32" else np.float16)


@pytest.mark.parametrize("unit", UNITS, ids=label)
def test_instructions_assemble(unit: Any) -> None:
    code = compiled(instruction(unit.path, unit.a, unit.b, unit.output).source, "sm_90a")
    assert b"run" in code


def test_an_instruction_of_other_shape_does_not_assemble() -> None:
    """Negative control."""
    source = instruction("wgmma", "e4m3", "e4m3", "fp32").source
    with pytest.raises(Exception, match="rror"):
        compiled(re.sub("m64n8k32", "m64n8k16", source), "sm_90a")


# CuTe's layouts of the same instructions (SM80_16x8x8, wgmma's slices of 16 rows), in words: the
# place of register (r0, r1) of lane 4 g + t is the sum of strides, t and g first
LAYOUTS = {
    "a": (16, (16, 1, 8, 64), 4),
    "b": (8, (8, 1, 32, 0), 2),
    "d, float32": (16, (32, 1, 16, 8), 4),
    "d, float16": (16, (16, 1, 8, 0), 2),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_registers_hold_the_elements_that_the_instruction_reads(
    name: str, tmp_path: pathlib.Path
) -> None:
    rows, (by_t, by_g, by_0, by_1), registers = LAYOUTS[name]
    wide = name != "d, float16"
    text = f'#define WIDE {int(wide)}\n#define __device__\n#define __forceinline__ extern "C"\n'
    places = build(text + PLACES, tmp_path)
    kind = name[0]

    def place(lane: int, r: int) -> int:
        row = places.b_column(lane) if kind == "b" else places[f"{kind}_row"](lane, r)
        return int(row + rows * places[f"{kind}_word"](lane, r))

    found = {(x, r): place(x, r) for x in range(32) for r in range(registers)}
    assert found == {
        (x, r): by_t * (x & 3) + by_g * (x >> 2) + by_0 * (r & 1) + by_1 * (r >> 1)
        for x, r in found
    }
    assert sorted(found.values()) == list(range(32 * registers))


@needs_hopper
@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("unit", UNITS, ids=label)
def test_the_chip_gives_these_bits(
    unit: Any, make: Any, steps: int, tmp_path: pathlib.Path
) -> None:
    source = instruction(unit.path, unit.a, unit.b, unit.output).source
    a, b, c = given(unit, make, steps)
    path = str(tmp_path / "kernel.cubin")
    got = products(unit, a, b, c, compiled(source, "sm_90a"), path)
    with np.errstate(all="ignore"):
        assert_equal_bits(got, nf.matmul(a, b, c, engine=unit.engine))


@needs_hopper
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("inputs", ["fp16", "bf16", "tf32", "e4m3", "e5m2"])
def test_torch_gives_these_bits(inputs: str, make: Any) -> None:
    """Products of one instruction's K, which no library splits; FP8 with fast accumulation."""
    import torch

    unit = next(u for u in UNITS if (u.path, u.a, u.output) == ("wgmma", inputs, "fp32"))
    a, b, _ = given(unit, make, 1)
    if inputs == "tf32":  # libraries round operands, the unit cuts them: give TF32 numbers
        a, b = (nf.quantize(x, "tf32", "toward_zero") for x in (a, b))
    if inputs == "e5m2":  # torch takes no product of two E5M2
        unit = next(u for u in UNITS if (u.a, u.b, u.path) == ("e5m2", "e4m3", "wgmma"))
        b = given(unit, make, 1)[1]
    with np.errstate(all="ignore"):
        wanted = nf.matmul(a, b, engine=unit.engine)
    assert_equal_bits(by_torch(torch, unit, a, b).cpu().numpy(), wanted, any_nan=True)


def by_torch(torch: Any, unit: Any, a: np.ndarray, b: np.ndarray) -> Any:
    kinds = {"fp16": torch.float16, "bf16": torch.bfloat16, "tf32": torch.float32}
    kinds |= {"e4m3": torch.float8_e4m3fn, "e5m2": torch.float8_e5m2}
    x, y = (
        torch.from_numpy(np.asarray(v, np.float32)).cuda().to(kinds[f])
        for v, f in ((a, unit.a), (b, unit.b))
    )
    if unit.a == "tf32":
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            return x @ y
        finally:
            torch.backends.cuda.matmul.allow_tf32 = False
    if unit.a in ("fp16", "bf16"):
        return torch.mm(x, y, out_dtype=torch.float32)
    one = torch.ones((), device="cuda")
    column_major = y.T.contiguous().T
    return torch._scaled_mm(x, column_major, one, one, out_dtype=torch.float32, use_fast_accum=True)
