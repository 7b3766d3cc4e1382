"""Law: every preset runs, forward and backward; what its unit lacks is counted with the reason."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.engines import MACChain
from numformats.torch import simulate

NAMES = sorted(nf.accelerators())
INFERENCE = (  # chips without backward products, or without a format for errors
    "amd-xdna2-", "arm-cmsis-nn-", "arm-ethos-u-", "fpga-", "google-tpu-int8", "intel-amx-int8",
    "max78000", "microsoft-msfp", "nvidia-b200-fp4", "nvidia-b200-fp6", "nvidia-rtx-blackwell-fp4",
    "nvidia-rtx-blackwell-fp6",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_presets_run(name: str) -> None:
    chip = nf.accelerator(name)
    torch.manual_seed(0)
    x, w = torch.randn(5, 32, requires_grad=True), nn.Parameter(torch.randn(4, 32))
    with simulate(chip, seed=1) as simulation:
        y = nn.functional.linear(x, w)
        scores = torch.bmm(x[None] * 0.25, x[None].mT)
        (y.sum() + scores.sum()).backward()
    if not chip.engine.keyed:
        assert torch.equal(y, chip.matmul(x.detach(), w.detach().T).float())
    for grad in (x.grad, w.grad):
        assert grad.isfinite().all()
        assert grad.abs().max() > 0
    left = {row["direction"] for row in simulation.report().full_precision}
    narrow = name.startswith("max78000-")  # weights of 2 and 4 bits on one side
    assert left == ({"backward"} if name.startswith(INFERENCE) else set()) | (
        {"forward"} if narrow else set()
    )


@pytest.mark.parametrize("shape", [(0, 6), (3, 0), (0, 0)], ids=str)
@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("name", ["nvidia-h100-fp8", "nvidia-b200-mxfp8", "nvidia-h100-deepseek"])
def test_empty_tensors(name: str, mode: str, shape: tuple[int, int]) -> None:
    x, w = torch.zeros(shape, requires_grad=True), nn.Parameter(torch.ones(4, shape[1]))
    with simulate(name, mode=mode):
        y = nn.functional.linear(x, w, torch.ones(4))
        y.sum().backward()
    assert torch.equal(y, torch.ones(shape[0], 4))
    assert not w.grad.any()


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("name", ["nvidia-h100-fp8", "nvidia-b200-mxfp8", "nvidia-h100-bf16"])
def test_strides_do_not_matter(name: str, mode: str) -> None:
    x, w = torch.randn(4, 2, 64)[:, 1, ::2], torch.randn(32, 5).T
    with simulate(name, mode=mode):
        got = nn.functional.linear(x, w)
        wanted = nn.functional.linear(x.contiguous(), w.contiguous())
        image = torch.randn(2, 5, 6, 4).permute(0, 3, 1, 2)
        filters = torch.randn(3, 3, 4, 6).permute(3, 2, 0, 1)
        second = nn.functional.conv2d(image, filters)
        same = nn.functional.conv2d(image.contiguous(), filters.contiguous())
    if mode == "exact":
        assert torch.equal(got, wanted)
        assert torch.equal(second, same)
    torch.testing.assert_close(got, wanted, rtol=1e-6, atol=1e-5)  # torch's sums depend on strides
    torch.testing.assert_close(second, same, rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_numbers_that_are_not_finite(mode: str) -> None:
    """NaN stays NaN; the largest finite magnitude makes the scale."""
    x = torch.tensor([[1.0, float("nan")], [2.0, 3.0], [float("inf"), 1.0]])
    with simulate("nvidia-h100-fp8", mode=mode):
        y = nn.functional.linear(x, torch.eye(2))
    assert y[0].isnan().any()
    torch.testing.assert_close(y[1], x[1], rtol=0.07, atol=0)


def test_what_comes_in_float64_goes_to_no_float32_unit() -> None:
    """A role without a format is taken as it comes, and counted where the unit lacks its values."""
    unit = MACChain("fp32", "fp32", accumulator="fp32")
    chip = Accelerator("no-errors", weights="e4m3", activations="e4m3", engine=unit)
    x, w = torch.randn(3, 8, dtype=torch.float64), nn.Parameter(torch.randn(4, 8).double())
    with simulate(chip) as simulation:
        nn.functional.linear(x, w).sum().backward()
    (row,) = simulation.report().full_precision
    assert (row["direction"], row["roles"]) == ("backward", "activations x errors")
    assert "no format for errors" in row["reason"]
    with simulate(chip) as simulation:
        nn.functional.linear(x.float(), nn.Parameter(w.detach().float())).sum().backward()
    assert not simulation.report().full_precision


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("name", ["nvidia-h100-bf16", "nvidia-b200-mxfp8"])
def test_convolutions_of_no_samples(name: str, mode: str) -> None:
    x, w = torch.zeros(0, 4, 5, 5, requires_grad=True), nn.Parameter(torch.ones(6, 4, 3, 3))
    with simulate(name, mode=mode):
        y = nn.functional.conv2d(x, w)
        z = nn.functional.conv_transpose2d(y, w)
        z.sum().backward()
    assert (y.shape, z.shape) == ((0, 6, 3, 3), (0, 4, 5, 5))
    assert not w.grad.any()


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("name", [*nf.formats(), "fixed<8,4>", "bfp<8,block=16>", "binary8p4se"])
def test_formats_are_accelerators(name: str, mode: str) -> None:
    x, w = torch.randn(5, 48), nn.Parameter(torch.randn(4, 48))
    with simulate(name, mode=mode) as simulation:
        y = nn.functional.linear(x, w)
        y.sum().backward()
    assert not simulation.report().full_precision
    kept = [nf.quantize(t.detach(), name).double() for t in (x, w)]
    torch.testing.assert_close(y.detach().double(), kept[0] @ kept[1].T, rtol=1e-4, atol=1e-4)
