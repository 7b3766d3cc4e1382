"""Law: scales are those of ``numformats.accelerators.Scaling``; histories are windows of maxima."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf
from numformats.accelerators.scaling import Scaling
from numformats.torch import AmaxScaling, Quantizer, quantize, rounding
from tests.torch.written_out import to_numpy

MOST = float(np.finfo("f4").max)
EDGES = [0.0, 1e-38, 2.0**-126, 0.7, 448.0, 449.0, 896.0, 1e38, MOST]


def scales(x: torch.Tensor, scaling: AmaxScaling, fmt: str = "e4m3") -> torch.Tensor:
    module = Quantizer(fmt, forward_scaling=scaling)
    return torch.ops.numformats.amax_scale(x, module.plan.forward)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("options", [{}, {"power_of_two": True}, {"limit": 100.0}], ids=str)
@pytest.mark.parametrize("kind, axis", [("tensor", None), ("channel", 0)])
def test_scales(kind: str, axis: int | None, options: dict[str, Any], dtype: Any) -> None:
    """One row for each edge: zeros, subnormal and huge maxima, powers of two, Inf and NaN."""
    x = torch.zeros(len(EDGES) + 1, 5, dtype=torch.float64)
    x[: len(EDGES), 0] = -torch.tensor(EDGES, dtype=torch.float64)
    x[-1] = torch.tensor([3.0, float("inf"), float("nan"), float("-inf"), -2.0])
    x = x.to(dtype)
    rows = x if kind == "channel" else x[:6]
    wide = to_numpy(rows).astype(np.float64 if dtype == torch.float64 else np.float32)
    wanted = Scaling(kind, **options).scales(wide, 448.0)
    got = scales(rows, AmaxScaling(axis, **options))
    assert got.dtype == torch.float32
    assert got.numpy().tobytes() == np.asarray(wanted, np.float32).tobytes()


@pytest.mark.parametrize("limit", [0.0, -1, 1e-50, 1e300, math.inf, math.nan, "448", True])
def test_a_limit_is_refused_in_the_same_words_everywhere(limit: Any) -> None:
    words = []
    for made in (lambda: Scaling("tensor", limit=limit), lambda: AmaxScaling(limit=limit)):
        with pytest.raises((TypeError, ValueError)) as caught:
            made()
        words.append((caught.type, str(caught.value)))
    assert words[0] == words[1]


@pytest.mark.parametrize("power_of_two", [False, True])
def test_a_quotient_that_underflows_gives_the_smallest_scale(power_of_two: bool) -> None:
    x = torch.tensor([1e-45, 0.0])
    assert scales(x, AmaxScaling(power_of_two=power_of_two)).item() == 2.0**-126


@pytest.mark.parametrize("axis, shape", [(1, (1, 4, 1)), ((0, -1), (3, 1, 5)), (None, (1, 1, 1))])
def test_shapes(axis: Any, shape: tuple[int, ...]) -> None:
    x = torch.randn(3, 4, 5)
    got = scales(x, AmaxScaling(axis))
    assert tuple(got.shape) == shape
    dims = tuple(i for i in range(3) if shape[i] == 1)
    assert torch.equal(got, x.abs().amax(dims, keepdim=True) / 448)


@pytest.mark.parametrize("x", [torch.zeros(0, 4), torch.zeros(4), torch.full((2,), torch.nan)])
def test_nothing_finite_but_zero_gives_one(x: torch.Tensor) -> None:
    assert scales(x, AmaxScaling()).item() == 1.0


@pytest.mark.parametrize("power_of_two", [False, True])
def test_scales_of_float64_are_of_the_exact_quotient(power_of_two: bool) -> None:
    """The float32 of amax / limit in rationals, between the ends of the normal float32; also for
    amax beyond float32, which a scale brings back, and below its subnormals."""
    random = np.random.default_rng(0).uniform(1, 2, 200) * 2.0 ** np.arange(-100, 100)
    for amax in [*random, 4e38, 1e40, 1.5e41, 1e300, 1e-44, 1e-46, 1e-300]:
        quotient = min(max(Fraction(float(amax)) / 448, Fraction(2) ** -126), Fraction(MOST))
        wanted = np.float32(float(quotient))
        if power_of_two:
            significand, exponent = math.frexp(wanted)
            wanted = min(2.0 ** (exponent - (significand == 0.5)), 2.0**127)
        x = torch.tensor([amax / 3, -amax], dtype=torch.float64)
        scaling = AmaxScaling(power_of_two=power_of_two)
        assert scales(x, scaling).item() == wanted
        stored = Scaling("tensor", power_of_two=power_of_two).scales(x[None].numpy(), 448.0)
        assert stored.item() == wanted


def test_delayed_scales_are_the_largest_of_the_window() -> None:
    """Scales by hand: amax 448, 44.8, 4.48, ... and a window of two."""
    module = Quantizer("e4m3", forward_scaling=AmaxScaling(history=2))
    seen = []
    for size in (448.0, 44.8, 4.48, 448.0 * 8, 1.0):
        x = torch.tensor([size, -size / 3, 0.001])
        history = module.history.clone()
        y = module(x)
        scale = np.float32(max(history.tolist()) / 448) if history.any() else np.float32(1)
        wanted = nf.quantize(x.numpy() / scale, "e4m3") * scale
        assert np.array_equal(y.numpy(), wanted)
        seen.append(round(float(scale), 4))
    assert seen == [1.0, 1.0, 1.0, 0.1, 8.0]
    assert module.history.tolist() == [1.0, 3584.0]


def test_evaluation_reads_the_history_and_leaves_it() -> None:
    module = Quantizer("e4m3", forward_scaling=AmaxScaling(history=3))
    module(torch.tensor([4.48]))
    module.eval()
    assert module(torch.tensor([100.0])).item() == pytest.approx(4.48)
    assert module.history.tolist() == [np.float32(4.48), 0.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_histories_are_float32_whatever_the_default_is(dtype: torch.dtype) -> None:
    scaling = AmaxScaling(history=1, power_of_two=True)
    try:
        torch.set_default_dtype(dtype)
        module = Quantizer("e4m3", "e5m2", forward_scaling=scaling, backward_scaling=scaling)
    finally:
        torch.set_default_dtype(torch.float32)
    x = torch.tensor([1001.0, 1.0], requires_grad=True)
    module(x).backward(torch.tensor([1003.0, 1.0]))
    assert module.history.item() == 1001.0
    assert module.grad_history.item() == 1003.0
    assert torch.equal(module(x.detach()), nf.quantize(x.detach() / 4, "e4m3") * 4)


def test_a_history_a_channel() -> None:
    scaling = AmaxScaling((1, -1), history=2, channels=(3, 5))
    module = Quantizer("e4m3", "e5m2", forward_scaling=scaling, backward_scaling=scaling)
    x, g = torch.randn(4, 3, 2, 5, requires_grad=True), torch.randn(4, 3, 2, 5)
    module(x).backward(g)
    assert torch.equal(module.history[0], x.detach().abs().amax((0, 2)))
    assert torch.equal(module.grad_history[0], g.abs().amax((0, 2)))
    y = module(x.detach())
    scale = x.detach().abs().amax((0, 2), keepdim=True) / 448
    assert torch.equal(y, nf.quantize(x.detach() / scale, "e4m3") * scale)


def test_two_calls_before_two_backwards() -> None:
    """Gradient histories in the order in which gradients come back."""
    module = Quantizer(backward="e5m2", backward_scaling=AmaxScaling(history=3))
    x = torch.ones(2, requires_grad=True)
    one, two = module(x), module(x)
    two.backward(torch.tensor([2.0, 0.0]))
    one.backward(torch.tensor([1.0, 0.0]))
    assert module.grad_history.tolist() == [1.0, 2.0, 0.0]


def test_a_wrong_number_of_channels_is_named() -> None:
    scaling = AmaxScaling(0, history=2, channels=3)
    with pytest.raises(ValueError, match=r"channels=\(4,\)"):
        Quantizer("e4m3", forward_scaling=scaling)(torch.ones(4, 2))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize("axis", [None, 0, 1, -1])
@pytest.mark.parametrize("piece", [1, 7, 64, 1000])
def test_pieces_change_nothing(
    piece: int, axis: int | None, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values and draws of the pieces in which a scaled tensor is rounded are those of the whole."""
    x = torch.randn(6, 5, 7, generator=torch.Generator().manual_seed(1)).to(dtype)
    how = {"key": nf.Key(3, 4, 10), "scaling": AmaxScaling(axis)}
    wanted = quantize(x, "e4m3", "stochastic", **how)
    monkeypatch.setattr(rounding, "PIECE", piece)
    assert torch.equal(quantize(x, "e4m3", "stochastic", **how), wanted)


def test_int8_with_a_scale_is_the_usual_integer_quantization() -> None:
    """torch's own fake quantization with zero point 0, away from ties of the two divisions."""
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    scale = (x.abs().max() / 127).item()
    wanted = torch.fake_quantize_per_tensor_affine(x, scale, 0, -127, 127)
    assert torch.allclose(quantize(x, "fixed<8,0>", scaling=AmaxScaling()), wanted, atol=1e-6)


def test_a_dynamic_scale_of_the_tensor_is_that_of_two_level_formats() -> None:
    for size, dtype in product((1e-30, 0.7, 3.0, 1e30), (torch.float32, torch.float64)):
        for _ in range(20):
            x = torch.randn(8, 32, dtype=dtype) * size
            assert torch.equal(quantize(x, "nvfp4", scaling=AmaxScaling()), quantize(x, "nvfp4"))
    nothing = torch.zeros(2, 16)
    assert torch.equal(quantize(nothing, "nvfp4", scaling=AmaxScaling()), nothing)


def test_delayed_scales_of_the_tensor_in_two_level_formats() -> None:
    """As calibrated: by the largest of earlier calls / (6 * 448), there and back."""
    scaling = AmaxScaling(history=2)
    module = Quantizer("nvfp4", "nvfp4", forward_scaling=scaling, backward_scaling=scaling)
    calls = [torch.randn(4, 32) * size for size in (1.0, 10.0, 0.1)]
    tops = [x.abs().max().item() for x in calls]
    for x, before in zip(calls, (None, tops[0], tops[1]), strict=True):
        x.requires_grad_()
        scale = 1.0 if before is None else np.float32(before) / np.float32(2688)
        y = module(x)
        y.backward(x.detach() * 2)
        wanted = nf.quantize(x.detach().numpy(), "nvfp4", tensor_scale=scale)
        assert np.array_equal(y.detach().numpy(), wanted)
        scale = 1.0 if before is None else np.float32(2 * before) / np.float32(2688)
        wanted = nf.quantize(2 * x.detach().numpy(), "nvfp4", tensor_scale=scale)
        assert x.grad is not None
        assert np.array_equal(x.grad.numpy(), wanted)
    module.eval()
    calls[0].requires_grad_(False)
    kept = module.history.clone()
    assert torch.equal(module(calls[0]), module(calls[0]))
    assert torch.equal(module.history, kept)


def test_gradients_stop_beyond_a_given_scale_of_the_tensor() -> None:
    """amax is mapped to half the range: 448 * 6 * scale is twice amax, and nothing saturates; at
    a tenth of it, blocks whose scale would be above 448 do."""
    x = torch.tensor([[1.0, 0.5] + [0.0] * 14, [0.05] * 16], requires_grad=True)
    for limit, wanted in ((1344.0, [1.0, 1.0]), (26880.0, [0.0, 0.0])):
        (grad,) = torch.autograd.grad(
            quantize(x, "nvfp4", scaling=AmaxScaling(limit=limit), gradient="clipped").sum(), x
        )
        assert grad[0, :2].tolist() == wanted
        assert grad[1].tolist() == [1.0] * 16


def test_two_level_formats_have_one_scale_of_the_tensor() -> None:
    with pytest.raises(ValueError, match=r"nvfp4 has one scale of the whole tensor .* axis=0"):
        Quantizer("nvfp4", forward_scaling=AmaxScaling(0))
    with pytest.raises(ValueError, match="mxfp8_e4m3 carries scales of its own"):
        Quantizer("mxfp8_e4m3", forward_scaling=AmaxScaling())


def test_two_level_formats_with_a_delayed_scale_compile_and_map() -> None:
    module = Quantizer("nvfp4", forward_scaling=AmaxScaling(history=2))
    x = torch.randn(3, 4, 32)
    module(x)
    module.eval()
    wanted = module(x)
    assert torch.equal(torch.compile(module, fullgraph=True, backend="aot_eager")(x), wanted)
    assert torch.equal(torch.func.vmap(module)(x), wanted)
