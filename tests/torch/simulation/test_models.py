"""Laws: models run unchanged, forward and backward, and nothing is skipped: the operations that the
report counts are those that torch's own counter finds. A float32 accelerator in fast mode is torch.
"""

from __future__ import annotations

import copy
import io
import pickle
from math import prod
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import numformats as nf
from numformats.torch import simulate

Tensor = torch.Tensor


class Attention(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(16, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 16) to (B, T, 16)."""
        result: Tensor = self.inner(x, x, x)[0]
        return result


class Last(nn.Module):
    """The output of a recurrent layer."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, 16) to (B, T, H)."""
        result: Tensor = self.layer(x)[0]
        return result


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 4))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(8), nn.ReLU(),
        nn.Conv2d(8, 8, 3, stride=2, groups=2), nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 4),
    )  # fmt: skip


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


ZOO: dict[str, Any] = {
    "mlp": (mlp, (5, 16)),
    "cnn": (cnn, (2, 3, 8, 8)),
    "attention": (Attention, (2, 5, 16)),
    "transformer encoder": (encoder, (2, 5, 16)),
    "lstm": (lambda: Last(nn.LSTM(16, 6, 2, bidirectional=True, batch_first=True)), (2, 5, 16)),
    "lstm with projections": (lambda: Last(nn.LSTM(16, 6, proj_size=3)), (5, 2, 16)),
    "gru": (lambda: Last(nn.GRU(16, 6, 2)), (5, 2, 16)),
    "gru without bias": (lambda: Last(nn.GRU(16, 6, bias=False, batch_first=True)), (2, 5, 16)),
    "rnn": (lambda: Last(nn.RNN(16, 6, nonlinearity="relu")), (5, 2, 16)),
}


def made(name: str) -> tuple[nn.Module, Tensor]:
    build, shape = ZOO[name]
    torch.manual_seed(0)
    model: nn.Module = build()
    return model, torch.randn(shape)


def trained(model: nn.Module, x: Tensor) -> list[Tensor]:
    """The output, and the gradients of all parameters."""
    model.zero_grad()
    y = model(x)
    y.square().mean().backward()
    return [y.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)]


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
ZOO["plain cnn"] = (
    lambda: nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, (3, 2), stride=2),
        nn.ConvTranspose2d(8, 4, 2), nn.Flatten(), nn.LazyLinear(4),
    ),
    (2, 3, 8, 8),
)  # fmt: skip


@pytest.mark.parametrize("name", [*COUNTED, "plain cnn"])
@pytest.mark.parametrize("chip", ["nvidia-h100-fp8", "nvidia-b200-mxfp8", "cerebras-fp16"])
def test_nothing_is_skipped(name: str, chip: str) -> None:
    model, x = made(name)
    model(x)
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


@pytest.mark.parametrize("name", ZOO)
def test_a_model_can_carry_its_simulation(name: str) -> None:
    model, x = made(name)
    keys, plain = list(model.state_dict()), trained(model, x)
    with simulate("nvidia-h100-fp8", mode="fast"):
        wanted = trained(model, x)
    assert simulate(model, "nvidia-h100-fp8", mode="fast") is model
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=False)
    for same in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert list(same.state_dict()) == keys
        for a, b in zip(trained(same, x), wanted, strict=True):
            assert torch.equal(a, b)
        assert not same.simulation.report().full_precision
        same.simulation.remove()
        assert not hasattr(same, "simulation")
        for a, b in zip(trained(same, x), plain, strict=True):
            assert torch.equal(a, b)


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


def test_activation_checkpoints_are_computed_again_in_the_same_way() -> None:
    layer, x = nn.Linear(8, 4), torch.randn(3, 8, requires_grad=True)
    with simulate("e4m3"):
        layer(x).square().sum().backward()
    wanted, layer.weight.grad = layer.weight.grad, None
    with simulate("e4m3") as simulation:
        y = torch.utils.checkpoint.checkpoint(layer, x, use_reentrant=False)
        y.square().sum().backward()
    assert torch.equal(layer.weight.grad, wanted)
    assert not simulation.report().full_precision


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_other_dtypes(dtype: torch.dtype, mode: str) -> None:
    model, x = made("mlp")
    model, x = model.to(dtype), x.to(dtype)
    with simulate("nvidia-h100-fp8", mode=mode) as simulation:
        found = trained(model, x)
    assert all(t.dtype == dtype for t in found)
    assert not simulation.report().full_precision
    linear: Any = model[0]
    wanted = nf.accelerator("nvidia-h100-fp8").matmul(
        x.double(), linear.weight.detach().T.double(), linear.bias.detach().double()[None]
    )
    with simulate("nvidia-h100-fp8"):
        first = linear(x)
    torch.testing.assert_close(first.double(), wanted.double(), rtol=2e-2, atol=2e-2)


def test_autocast_casts_operands_first() -> None:
    layer, x = nn.Linear(16, 4), torch.randn(3, 16)
    with simulate("amd-mi300-fp32"), torch.autocast("cpu", dtype=torch.bfloat16):
        got = layer(x)
    half = copy.deepcopy(layer).bfloat16()
    with simulate("amd-mi300-fp32"):
        assert torch.equal(got, half(x.bfloat16()))
    assert got.dtype == torch.bfloat16


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("order", ["simulate(compile)", "compile(simulate)", "context"])
def test_compiled_models_run_eagerly_inside(order: str) -> None:
    model, x = made("mlp")
    with simulate("e4m3"):
        wanted = trained(model, x)
    rules = {"0": "e4m3"}  # paths are those of the model that was compiled
    if order == "compile(simulate)":
        run = torch.compile(simulate(model, "e4m3", rules=rules))
        got = trained(run, x)
    else:
        run = torch.compile(model)
        if order == "context":
            run(x)  # compiled before
            with simulate("e4m3", rules=rules):
                got = trained(run, x)
        else:
            got = trained(simulate(run, "e4m3", rules=rules), x)
    for a, b in zip(got, wanted, strict=True):
        assert torch.equal(a, b)
