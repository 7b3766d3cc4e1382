"""Laws: models run unchanged, forward and backward, and nothing is skipped: the operations that the
report counts are those that torch's own counter finds. A float32 accelerator in fast mode is torch.
"""

from __future__ import annotations

from math import prod

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from numformats.torch import simulate
from tests.torch.simulation.zoo import ZOO, made, trained

Tensor = torch.Tensor


@pytest.mark.parametrize("name", ZOO)
def test_float32_in_fast_mode_is_torch(name: str) -> None:
    model, x = made(name)
    wanted = trained(model, x)
    with simulate("amd-mi300-fp32", mode="fast") as simulation:
        got = trained(model, x)
    for a, b in zip(got, wanted, strict=True):
        assert torch.equal(a, b)
    rows = simulation.report().rows
    assert {row["direction"] for row in rows} == {"forward", "backward"}
    assert all(row["status"] == "simulated" for row in rows)


@pytest.mark.parametrize("name", ZOO)
def test_float32_in_exact_mode_is_torch_up_to_rounding(name: str) -> None:
    """The chain of fused multiply-adds adds in another order."""
    model, x = made(name)
    wanted = trained(model, x)
    with simulate("amd-mi300-fp32"):
        got = trained(model, x)
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


# LSTM layers are one kernel, and of grouped convolutions torch counts another number
COUNTED = [name for name in ZOO if not name.startswith(("lstm", "cnn"))]


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("chip", ["nvidia-h100-fp8", "nvidia-b200-mxfp8", "cerebras-fp16"])
def test_nothing_is_skipped(name: str, chip: str) -> None:
    model, x = made(name)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        trained(model, x)
    with simulate(chip) as simulation:
        trained(model, x)
    rows = simulation.report().rows
    assert all(row["status"] == "simulated" for row in rows)
    total = 0
    for row in rows:
        a, b = row["shapes"]
        total += row["count"] * 2 * prod(a) * b[-1]
    assert total == counter.get_total_flops()


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("chip", ["nvidia-h100-fp8", "nvidia-b200-nvfp4", "arm-cmsis-nn-int8"])
def test_exact_and_fast_are_near(name: str, chip: str) -> None:
    """They differ in sums alone; gradients of ReLU may switch, so outputs are compared."""
    model, x = made(name)
    found = []
    for mode in ("exact", "fast"):
        with simulate(chip, mode=mode) as simulation:
            found.append(trained(model, x)[0])
        backward = [r for r in simulation.report().rows if r["direction"] == "backward"]
        left = {r["reason"].split(":")[0] for r in backward if r["status"] != "simulated"}
        integer = chip.startswith("arm") and mode == "exact"
        assert left == ({"float32 sums"} if integer else set())
    torch.testing.assert_close(*found, rtol=0.05, atol=0.05 * float(found[0].abs().max()))


def test_packed_sequences() -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(16, 6, 2, bidirectional=True)
    packed = nn.utils.rnn.pack_sequence([torch.randn(n, 16) for n in (6, 3, 2, 2)])
    wanted, (h, c) = layer(packed)
    with simulate("amd-mi300-fp32") as simulation:
        got, (h2, c2) = layer(packed)
    torch.testing.assert_close(got.data, wanted.data)
    torch.testing.assert_close((h2, c2), (h, c))
    assert not simulation.report().full_precision


def test_the_fused_encoder_of_inference_is_not_taken() -> None:
    model, x = made("transformer encoder")
    model.eval()
    with torch.no_grad():
        wanted = model(x)
        with simulate("amd-mi300-fp32") as simulation:
            got = model(x)
    torch.testing.assert_close(got, wanted, rtol=1e-4, atol=1e-5)
    assert {row["op"] for row in simulation.report().rows} == {
        "linear", "scaled_dot_product_attention",
    }  # fmt: skip


@pytest.mark.parametrize("chip", ["nvidia-h100-fp8", "amd-mi300-fp32", "nvidia-b200-mxfp8"])
@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_memory_may_be_resized_afterwards(mode: str, chip: str) -> None:
    """FSDP frees and restores that of parameters; ``Tensor.numpy()`` forbids it."""
    model, x = made("mlp")
    with simulate(chip, mode=mode):
        model(x).sum().backward()
    assert all(p.untyped_storage().resizable() for p in (x, *model.parameters()))
