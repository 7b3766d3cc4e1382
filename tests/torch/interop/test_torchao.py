"""Law: what torchao's emulations of MX, NVFP4 and float8 make of a tensor, the formats and scalings
that ``docs/migrating.md`` names make of it. Skipped where torchao is not importable.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

import numformats as nf
from numformats.torch import AmaxScaling, Quantizer

REASON = "torchao is missing; pip install torchao==0.18.0"
pytest.importorskip("torchao", reason=REASON)
mx = pytest.importorskip("torchao.prototype.mx_formats.mx_tensor", reason=REASON)
nvfp4 = pytest.importorskip("torchao.prototype.mx_formats.nvfp4_tensor", reason=REASON)
float8 = pytest.importorskip("torchao.float8.float8_scaling_utils", reason=REASON)
RULES = list(pytest.importorskip("torchao.prototype.mx_formats.config").ScaleCalculationMode)
MX = {
    "mxfp8_e4m3": torch.float8_e4m3fn,
    "mxfp8_e5m2": torch.float8_e5m2,
    "mxfp6_e2m3": "fp6_e2m3",
    "mxfp6_e3m2": "fp6_e3m2",
    "mxfp4": torch.float4_e2m1fn_x2,
}


def values(reach: int, seed: int = 0) -> torch.Tensor:
    """Normals times powers of two, those of rows up to ``reach``; zeros, and a row of nothing
    else."""
    own = torch.Generator().manual_seed(seed)
    x = torch.randn(4096, 64, generator=own)
    powers = (
        torch.randint(-reach, reach + 1, shape, generator=own) for shape in ((4096, 1), (64,))
    )
    rows, columns = powers
    found = torch.ldexp(x, rows + columns % 12)
    found[::7, ::5] = 0
    found[3] = 0
    return found


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.value)
@pytest.mark.parametrize("name", MX)
def test_mx(name: str, rule: object) -> None:
    x = values(100)
    wanted = mx.MXTensor.to_mx(x, MX[name], 32, rule).dequantize(torch.float32)
    assert torch.equal(nf.quantize(x, replace(nf.parse(name), scale_rule=rule.value)), wanted)


def test_nvfp4() -> None:
    """But in blocks whose scale would be below 2^-6, where torchao's has its least; of two levels
    up to the last bit, since it multiplies by reciprocals."""
    x = values(6)
    whole = nvfp4.per_tensor_amax_to_scale(x.abs().max())
    parts = x.reshape(4096, 4, 16).abs().amax(-1) / 6
    for scale, name in ((whole, "nvfp4"), (None, replace(nf.parse("nvfp4"), tensor_scale=False))):
        served = parts / (1 if scale is None else scale) >= torch.finfo(torch.float8_e4m3fn).tiny
        wanted = nvfp4.NVFP4Tensor.to_nvfp4(x, per_tensor_scale=scale).dequantize(torch.float32)
        got = nf.quantize(x, name)
        where = served.repeat_interleave(16, 1)
        assert where.double().mean() > 0.9
        exact = {"rtol": 0, "atol": 0} if scale is None else {"rtol": 2**-22, "atol": 0}
        torch.testing.assert_close(got[where], wanted[where], **exact)


@pytest.mark.parametrize("power_of_two", [False, True])
@pytest.mark.parametrize("axis", [None, 0, 1])
@pytest.mark.parametrize("name", ["e4m3", "e5m2"])
def test_float8(name: str, axis: int | None, power_of_two: bool) -> None:
    """Up to the last bit where a scale is no power of two, since torchao keeps its reciprocal."""
    from torchao.float8.config import ScalingGranularity
    from torchao.float8.float8_training_tensor import LinearMMConfig

    x = values(3)
    found = float8.hp_tensor_to_float8_dynamic(
        x, MX[f"mxfp8_{name}"],
        LinearMMConfig(),
        scaling_granularity=ScalingGranularity("axiswise" if axis is not None else "tensorwise"),
        axiswise_dim=None if axis is None else axis - 1,  # which a scale is shared along
        round_scales_to_power_of_2=power_of_two,
    )  # fmt: skip
    got = Quantizer(name, forward_scaling=AmaxScaling(axis=axis, power_of_two=power_of_two))(x)
    wanted = found.to_original_precision()
    torch.testing.assert_close(got, wanted, rtol=0 if power_of_two else 2**-22, atol=0)
