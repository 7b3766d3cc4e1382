"""Law: without a GPU, the kernels of both CUDA backends compile for sm_80, sm_90 and sm_100, and
Numba's run in its simulator with the reference's bits; and a planted error is seen.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.backends.cuda_block_draw_source import BlockDrawUnit
from numformats.backends.cuda_code import OPTIONS
from numformats.backends.cuda_draw_source import DrawUnit, Law
from numformats.backends.cuda_langevin_source import LangevinUnit
from numformats.backends.cuda_scaled_source import DecodeUnit, LevelsUnit, ScaledUnit, ShortUnit
from numformats.backends.cuda_source import Spec, Unit
from numformats.backends.cuda_text import UnitBase, source
from numformats.backends.cuda_underdamped_source import UnderdampedUnit
from numformats.backends.underdamped_task import SIDES
from numformats.block_tasks import levels, scale_spec
from numformats.draw_grids import draw_grid, own_draws, short_draw, short_draw_in_blocks
from numformats.lanes import CARRIERS, LANE32
from numformats.lowering import code_spec, decode_spec, lower
from numformats.rounding import MODES
from numformats.short_blocks import short
from tests.nvrtc import compiled
from tests.underdamped import STEPS

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGETS = ["sm_80", "sm_90", "sm_100"]
TWO_MODES = ("nearest_even", "stochastic")


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A module of the tests in a process of its own."""
    command = [sys.executable, "-m", module, *arguments]
    env = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def test_simulator_gives_the_references_bits() -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.simulated", NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode == 0, done.stderr[-2000:]
    scalar = 40 * len(MODES)  # formats and carriers
    found = f"{scalar} scalar, 40 block, 40 draw, 10 step, {len(STEPS)} underdamped cases agree"
    assert found in done.stdout


@pytest.mark.parametrize("name", ["a constant", "a comparison", "an operand"])
def test_simulator_sees_a_planted_error(name: str) -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.simulated", name, NUMBA_ENABLE_CUDASIM="1")
    assert done.returncode != 0
    assert "differ" in done.stderr


@pytest.mark.parametrize("target", ["8.0", "9.0", "10.0"])
def test_numba_kernels_compile(target: str) -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.ptx", target)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"kernels compiled for sm_{target.replace('.', '')}" in done.stdout


def test_numba_sees_a_planted_error() -> None:
    pytest.importorskip("numba_cuda", reason="numba-cuda is missing; install the extra test-cuda")
    done = run("tests.ptx", "9.0", "a misspelt name")
    assert done.returncode != 0
    assert "significant" in done.stderr


def units(carrier: str, mode: str) -> dict[str, Unit]:
    """A plain format and one that takes the general texts, rounded and encoded; blocks in one pass
    and in two; the random kernels."""
    c, m = CARRIERS[carrier], MODES[mode]
    made = {}
    for fmt, encode, out in ((nf.E4M3, False, c.stored.__name__), (nf.E8M0, True, "uint8")):
        spec = Spec(c, m, lower(fmt, c, m), code_spec(fmt, c.lane), encode, out)
        made[f"S{out}"] = Unit(c.lane, spec)
        blocks = scale_spec(nf.MXFP8_E4M3, c.lane)
        spec = Spec(c, m, lower(nf.E4M3, c, m), code_spec(nf.E4M3, c.lane), encode, out, blocks)
        made[f"B{out}"] = Unit(c.lane, spec, 4 if encode else 0)
    return made | ({"random": Unit(c.lane)} if mode == "stochastic" else {})


def pairs() -> list[Any]:
    return [
        (target, mode)
        for target in TARGETS
        for mode in MODES
        if target == "sm_90" or mode in TWO_MODES
    ]


@pytest.mark.parametrize("target, mode", pairs())
@pytest.mark.parametrize("carrier", CARRIERS)
def test_cuda_source_compiles(carrier: str, target: str, mode: str) -> None:
    code = compiled(source(units(carrier, mode)), target)
    for name, unit in units(carrier, mode).items():
        for entry in unit.entries(name):
            assert entry.name.encode() in code


def real_units(mode: str) -> dict[str, UnitBase]:
    """Float scales and powers of two as scales, decoding."""
    how, m, double = levels(nf.NVFP4), MODES[mode], CARRIERS["float64"]
    made: dict[str, UnitBase] = {}
    for real in ("float32", "float64"):
        made[f"L{real}"] = LevelsUnit(how, real, False, "uint8")
        made[f"P{real}"] = LevelsUnit(levels(nf.MXFP4), real, True, "")
        made[f"D{real}"] = DecodeUnit(decode_spec(nf.E2M1, double.lane), "uint8", real)
        for out in (real, "uint8"):
            grid, codes = lower(nf.E2M1, double, m), code_spec(nf.E2M1, double.lane)
            made[f"S{real}{out}"] = ScaledUnit(grid, codes, m, real, out, out == "uint8")
    return made


DRAWN = [  # a format; whether each element has a variance, and whether draws are in blocks
    (nf.E4M3, False, False), (nf.FixedPoint(8, 6), True, False), (nf.E2M1, False, True),
]  # fmt: skip


def step_units(mode: str) -> dict[str, UnitBase]:
    """Langevin and underdamped steps of the three accumulators; float scales in the 32-bit lane."""
    c, m = CARRIERS["float32"], MODES[mode]
    grids, drawn = (lower(nf.E5M2, c, m), lower(nf.E4M3, c, m)), draw_grid(nf.E4M3, c)
    parts = {
        "F": ("GRADIENT", "DECAYS", "NOISY", "WEIGHT", "KEEPS"),
        "L": ("NOISY", "WEIGHT"),
        "V": ("GRADIENT", "DECAYS", "DRAWN"),
    }
    laws = {"": Law(), "s": Law.of(short_draw(drawn, 0.01))}
    made: dict[str, UnitBase] = {
        name + form: LangevinUnit(*grids, m, drawn, law, f)
        for name, f in parts.items()
        for form, law in laws.items()
    }
    sides = tuple(lower(nf.E4M3, c, MODES[side]) for side in SIDES.values())
    for name, flags in (parts | {"G": ("DRAWN", "FIXED")}).items():
        between = sides if name == "V" else ()
        for form, law in laws.items():
            forms = (drawn, own_draws(drawn), law)
            unit = UnderdampedUnit(*grids, between, m, *forms, flags, name != "F")
            made[f"U{name}{form}"] = unit
    how = levels(nf.NVFP4)
    for encode in (False, True):
        found, out = short(nf.NVFP4, m, how.mode, c), "uint8" if encode else "float32"
        if found:
            unit = ShortUnit(found, (6.0, 2688.0), how.mode, m, 4, out, encode, "uint8")
            made[f"Q{encode:d}"] = unit
    return made


def draw_units() -> dict[str, UnitBase]:
    """Draws of every kind, which have no rounding mode."""
    c, made = CARRIERS["float32"], dict[str, UnitBase]()
    for real in ("float32", "float64"):
        for fmt, each, blocks in DRAWN:
            grid = draw_grid(fmt, CARRIERS[real])
            own = own_draws(grid) if each and real == "float32" else None
            spread = real if each else "float64"
            unit = DrawUnit(grid, real, each, spread, own, blocks, Law())
            made[f"D{real}{each:d}{blocks:d}"] = unit
    fixed, one = nf.FixedPoint(8, 4), ("float32", False, "float64", None, False)
    for fmt, variance in ((nf.E4M3, 0.01), (fixed, 0.01), (fixed, 1e-4)):  # either, wide, narrow
        law = Law.of(short_draw(draw_grid(fmt, c), variance))
        made[f"D{fmt.bits}{law.which}"] = DrawUnit(draw_grid(fmt, c), *one, law)
    for fmt in (nf.MXFP4, nf.MXINT8):
        grid, spec = draw_grid(fmt.element, CARRIERS["float64"]), scale_spec(fmt, LANE32)
        found = short_draw_in_blocks(grid, 0.01)
        assert found
        for lanes in (0, 8):
            unit = BlockDrawUnit(grid, Law.in_blocks(found[0]), tuple(spec), lanes)
            made[f"B{fmt.element.bits}{lanes}"] = unit
    return made


@pytest.mark.parametrize("target", TARGETS)
def test_cuda_source_of_draws_compiles(target: str) -> None:
    code = compiled(source(draw_units()), target)
    for name, unit in draw_units().items():
        for entry in unit.entries(name):
            assert entry.name.encode() in code


@pytest.mark.parametrize("target, mode", pairs())
def test_cuda_source_of_steps_compiles(target: str, mode: str) -> None:
    code = compiled(source(step_units(mode)), target)
    for name, unit in step_units(mode).items():
        for entry in unit.entries(name):
            assert entry.name.encode() in code


@pytest.mark.parametrize("target, mode", pairs())
def test_cuda_source_of_float_scales_compiles(target: str, mode: str) -> None:
    code = compiled(source(real_units(mode)), target)
    for name, unit in real_units(mode).items():
        for entry in unit.entries(name):
            assert entry.name.encode() in code


@pytest.mark.parametrize(
    "before, after",
    [("maximum(U((mag_ >>", "maximum(I((mag_ >>"), ("g_.quantum, ZERO", "g_.quantum, 0.5")],
)
def test_a_type_that_would_change_in_silence_does_not_compile(before: str, after: str) -> None:
    """Negative control: the wrong cast, a float among integers."""
    text = source(units("float64", "nearest_even"))
    assert before in text
    with pytest.raises(Exception, match=r"NVRTC|error"):
        compiled(text.replace(before, after), "sm_90")


@pytest.mark.parametrize("flushes", [False, True])
def test_subnormals_count_and_nothing_is_contracted(flushes: bool) -> None:
    """With the options that CuPy adds where it compiles itself, a negative control."""
    options = (*OPTIONS, "-ftz=true") if flushes else OPTIONS
    for text in (source(step_units("stochastic")), source(real_units("stochastic"))):
        code = compiled(text, "compute_90", "ptx", options).decode()
        assert (".ftz" in code) == flushes
    product = 'extern "C" __global__ void k(float* x) { x[0] = x[1] * x[2] + x[3]; }'
    assert b"fma" not in compiled(product, "compute_90", "ptx")


def test_a_mode_outside_the_subset_is_refused() -> None:
    from tests.odd_modes import loops_over_bits

    mode = MODES["nearest_even"].__class__("loops_over_bits", loops_over_bits)
    spec = Spec(
        CARRIERS["float32"],
        mode,
        lower(nf.E4M3, CARRIERS["float32"], MODES["nearest_even"]),
        code_spec(nf.E4M3, CARRIERS["float32"].lane),
        False,
        np.dtype(np.uint32).name,
    )
    with pytest.raises(ValueError, match=r"While .* cannot be compiled for CUDA; write"):
        source({"A": Unit(CARRIERS["float32"].lane, spec)})
