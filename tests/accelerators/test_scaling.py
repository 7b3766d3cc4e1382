"""Laws: scales are what their definition says, worked out by hand; draws follow keys; integers
take their bias, multiplier and zero point as documented."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

import numformats as nf
from numformats.accelerators import Accelerator, Scaling
from numformats.accelerators.integers import with_scale
from numformats.engines import MACChain, MultiplierRequantize
from tests.accelerators.chips import ALL

POWER: dict[str, Any] = {"power_of_two": True}
STEPS = POWER | {"exponent_step": 4}


@pytest.mark.parametrize(
    "arguments, amax, wanted",
    [
        ({}, 896.0, 2.0),
        ({"limit": 3.5}, 7.0, 2.0),
        ({}, 0.0, 1.0),
        ({}, 1e-44, 2.0**-126),
        (POWER, 448.0, 1.0),
        (POWER, 448.5, 2.0),
        (POWER, 224.0, 0.5),
        (POWER, 0.0, 1.0),
        (STEPS, 448.0 * 3, 16.0),
        (STEPS, 448.0, 1.0),
        (STEPS, 448.0 / 3, 1.0),
        (STEPS, 448.0 / 100, 2.0**-4),
        (STEPS | {"exponents": (-8, 4)}, 448e3, 16.0),
        (STEPS | {"exponents": (-8, 4)}, 448e-6, 2.0**-8),
        (POWER, 1e-44, 2.0**-126),  # the quotient is 0 in float32
        (STEPS | {"exponents": (-8, 4)}, 1e-44, 2.0**-8),
    ],
)
def test_scales_worked_out_by_hand(arguments: Any, amax: float, wanted: float) -> None:
    x = np.array([[0.0, -amax, np.nan]], np.float32)
    found = Scaling("tensor", **arguments).scales(x, 448.0)
    assert (found.dtype, found.shape, found.item()) == (np.float32, (1, 1), np.float32(wanted))


def test_scales_beyond_float32_stay_finite() -> None:
    assert Scaling("tensor").scales(np.array([[1e300]]), 1.0).item() == np.finfo(np.float32).max


def test_scales_of_tiles_and_channels() -> None:
    x = np.float32([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    assert Scaling("channel").scales(x, 1.0).tolist() == [[3], [6], [9]]
    tiles = Scaling("block", block=(2, 2)).scales(x, 1.0)
    assert tiles.tolist() == [[5, 6], [5, 6], [8, 9]]


BIASES = {
    ("intel-gaudi2-fp8", "weights"): (4, (-8, 4)),  # biases 15, 11, 7, 3 around 7
    ("intel-gaudi3-fp8", "weights"): (1, (7 - 62, 7)),
    ("intel-gaudi3-fp8", "errors"): (1, (15 - 62, 15)),
    ("tesla-dojo-cfloat8", "weights"): (1, (7 - 63, 7)),
    ("tesla-dojo-cfloat8", "errors"): (1, (15 - 63, 15)),
    ("tesla-dojo-cfloat16", "weights"): (1, (15 - 63, 15)),
}


@pytest.mark.parametrize("name, role", BIASES)
def test_exponents_are_those_of_the_biases_of_the_hardware(name: str, role: str) -> None:
    scaling = ALL[name].scaling_of(role)
    assert scaling.power_of_two
    assert (scaling.exponent_step, scaling.exponents) == BIASES[name, role]


def test_deepseek_tiles() -> None:
    chip = ALL["nvidia-h100-deepseek"]
    blocks = {role: scaling.block for role, scaling in chip.scaling}
    assert blocks == {"weights": (128, 128), "activations": (1, 128), "errors": (1, 128)}


def test_bfdot_rounds_to_odd() -> None:
    a = np.float32([[1.0, 2.0**-30]])
    one = np.ones((2, 1), np.float32)
    assert ALL["arm-bfdot"].matmul(a, one).item() == 1 + 2.0**-23
    assert ALL["intel-amx-bf16"].matmul(a, one).item() == 1.0
    tiny = np.float32([[2.0**-100, 0.0]])  # the product lies below the smallest normal float32
    assert ALL["arm-bfdot"].matmul(tiny, np.float32([[2.0**-60], [0]])).item() == 0.0


def noisy(engine: Any) -> Accelerator:
    return Accelerator("noisy", weights="e4m3", activations="e4m3", engine=engine,
                       rounding="stochastic", scaling=Scaling("block", block=(8, 16)))  # fmt: skip


def test_draws_follow_the_keys_of_operands_and_segments() -> None:
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal(s).astype(np.float32) for s in ((8, 32), (32, 8)))
    engine = MACChain("e4m3", "e4m3", accumulator="fp16", rounding="stochastic")
    key, total = nf.Key(7), np.float32(0)
    stored = []
    for number, x in enumerate((a, np.ascontiguousarray(b.T))):
        scale = np.abs(x).reshape(8, 2, 16).max((0, 2)) / np.float32(448)
        wide = np.repeat(scale, 16)[None, :]
        q = nf.quantize(x / wide, "e4m3", "stochastic", key=key.fold(number))
        stored.append((q, scale))
    (qa, sa), (qb, sb) = stored
    for s in (0, 1):
        part = slice(16 * s, 16 * s + 16)
        product = nf.matmul(qa[:, part], qb[:, part].T, engine=engine, key=key.fold(2 + s))
        total = total + product.astype(np.float32) * (sa[s] * sb[s])
    np.testing.assert_array_equal(noisy(engine).matmul(a, b, key=7), total)


def test_c_goes_to_the_nearest_integer_of_the_accumulator() -> None:
    zero, unit = np.zeros((1, 1), np.float32), 2.0**-14
    for given, wanted in ((1.75, 2), (1.5, 2), (2.5, 2), (-1.75, -2)):
        got = ALL["fpga-dsp48-int8"].matmul(zero, zero, np.float32([[given * unit]]))
        assert got.item() == wanted * unit


@pytest.mark.parametrize(
    "ratio, wanted",
    [
        (0.7, (1503238554, 0)),  # 0.7 * 2**31 = 1503238553.6
        (1.0, (1 << 30, 1)),
        (1 - 2.0**-40, (1 << 30, 1)),
        (0.25, (1 << 30, -1)),
    ],
)
def test_multipliers_worked_out_by_hand(ratio: float, wanted: tuple[int, int]) -> None:
    rule = with_scale(MultiplierRequantize(1, 0), np.array([[ratio]]), 1.0)
    assert (rule.multiplier, rule.shift) == wanted


def test_the_zero_point_moves_the_range() -> None:
    base = ALL["arm-cmsis-nn-int8"]
    rule = dataclasses.replace(base.requantize, zero_point=100)
    chip = dataclasses.replace(base, name="moved", requantize=rule)
    x = np.float32([[1.0]])
    assert chip.matmul(x, x, output_scale=2.0**-6).item() == 27 / 64
    assert chip.matmul(x, -x, output_scale=2.0**-6).item() == -1.0
