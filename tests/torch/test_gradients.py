"""Law: gradients are what their definition says, and stochastic ones are unbiased."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import forward_ad

import numformats as nf
from numformats.torch import AmaxScaling, Quantizer, quantize
from tests.statistics import FALSE_ALARM, LIMIT_Z, binomial_p, mean_z, variance_z

BELOW, ABOVE = -float("inf"), float("inf")
# format, values within the range (half a gap beyond its ends counts), values that saturate
RANGES: list[tuple[str, list[float], list[float]]] = [
    ("e4m3", [0.0, 448.0, 464.0, -464.0, float("nan")], [464.0001, -465.0, ABOVE, BELOW]),
    ("e5m2", [57344.0, 61440.0, -61440.0], [61441.0, ABOVE]),
    ("fixed<8,3>", [15.9375, -16.0625, 0.1], [15.9376, -16.0626, 100.0, BELOW]),
    ("fixed<8,3,signed=false>", [-0.0625, 31.9375], [-0.0626, 31.938]),
    ("e8m0", [2.0**-128, 2.0**127], [-1.0, 0.0, ABOVE]),
    ("float<2,1,specials=finite,signed=false>", [-0.25, 6.0, 7.0], [-0.26, 7.1]),
    ("e2m1", [6.0, 7.0, -7.0], [7.01, -7.01]),
    ("e3m0", [16.0, -24.0], [24.1]),
    ("float<8,23>", [3e38, -3e38], [ABOVE, BELOW]),
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(
    "fmt, kept, stopped", RANGES, ids=lambda v: v if isinstance(v, str) else ""
)
def test_clipped(fmt: str, kept: list[float], stopped: list[float], dtype: Any) -> None:
    """Ends of ranges by hand."""
    if fmt == "e3m0":
        fmt = "float<3,0,specials=finite>"
    x = torch.tensor(kept + stopped, dtype=dtype, requires_grad=True)
    quantize(x, fmt, gradient="clipped").backward(torch.full_like(x, 3.0))
    assert x.grad.tolist() == [3.0] * len(kept) + [0.0] * len(stopped)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_clipped_on_half_width_carriers(dtype: Any) -> None:
    x = torch.tensor([464.0, 466.0, -480.0], dtype=dtype, requires_grad=True)
    quantize(x, "e4m3", gradient="clipped").sum().backward()
    assert x.grad.tolist() == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_clipped_in_blocks(dtype: Any) -> None:
    """MXFP4, amax 7.5: scale 1, and 7 is the end; amax 15: scale 2, and 14 is."""
    x = torch.zeros(2, 64, dtype=dtype)
    x[0, :3] = torch.tensor([7.5, 7.0, -7.0])
    x[1, :3] = torch.tensor([15.0, 14.0, 1.0])
    x[1, 33:35] = torch.tensor([7.5, 6.5])
    x.requires_grad_()
    quantize(x, "mxfp4", gradient="clipped").sum().backward()
    assert (x.grad == 0).nonzero().tolist() == [[0, 0], [1, 0], [1, 33]]


@pytest.mark.parametrize("shape", [(6,), (7, 9), (4, 10, 6)], ids=str)
@pytest.mark.parametrize(
    "fmt", ["mxfp4", "nvfp4", "bfp<4,block=4x3,axis=0x-1>", "bfp<4,block=none,axis=none>"]
)
def test_clipped_in_blocks_of_any_geometry(fmt: str, shape: tuple[int, ...]) -> None:
    """Against rounding to an element with one more exponent (or sign) bit's range: an element
    saturates where its value changes by more than rounding can."""
    if fmt.startswith("bfp<4,block=4x3") and len(shape) < 2:
        return
    given = torch.randn(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    x = (given * 4).requires_grad_()
    y = quantize(x, fmt, gradient="clipped")
    y.sum().backward()
    gap = nf.spacing(x.detach(), fmt)
    assert torch.equal(x.grad != 0, (y - x).abs() <= gap / 2)


def test_a_scale_of_this_call_stops_nothing() -> None:
    """Though the quotient of the largest element may round beyond the range."""
    x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(4)).requires_grad_()
    quantize(x, "e4m3", scaling=AmaxScaling(0), gradient="clipped").sum().backward()
    assert x.grad.eq(1).all()


def test_the_second_derivative_passes_straight_through() -> None:
    x = torch.tensor([0.3, 1.7], requires_grad=True)
    y = quantize(x, "e4m3") ** 3  # y = q³, dy/dx = 3 q², d²y/dx² = 6 q
    (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    q = torch.tensor([0.3125, 1.75])
    assert torch.equal(first, 3 * q**2)
    assert torch.equal(second, 6 * q)
    hessian = torch.func.hessian(lambda x: (quantize(x, "e4m3") ** 3).sum())(x.detach())
    assert torch.equal(hessian, torch.diag(6 * q))


def test_tangents_pass_as_gradients_do() -> None:
    x, t = torch.tensor([0.3, 1000.0]), torch.tensor([0.7, 0.9])
    for gradient, wanted in (("straight_through", [0.7, 0.9]), ("clipped", [0.7, 0.0])):
        call = Quantizer("e4m3", "e5m2", gradient=gradient)
        y, tangent = torch.func.jvp(call, (x,), (t,))
        with forward_ad.dual_level():
            dual = forward_ad.unpack_dual(call(forward_ad.make_dual(x, t)))
        assert torch.equal(dual.tangent, tangent)
        assert torch.equal(dual.primal, y)
        assert torch.equal(y, torch.tensor([0.3125, 448.0]))
        assert torch.equal(tangent, torch.tensor(wanted))


def test_a_rounded_gradient_of_an_untouched_forward() -> None:
    x = torch.tensor([0.3, 1.7], requires_grad=True)
    y = Quantizer(backward="e4m3")(x)
    assert torch.equal(y, x)
    y.backward(torch.tensor([0.3, 1000.0]))
    assert x.grad.tolist() == [0.3125, 448.0]


def test_nothing_to_do_gives_the_same_tensor() -> None:
    x = torch.ones(3)
    assert Quantizer()(x) is x
    assert quantize(x, None) is x


def test_inf_and_nan_arrive() -> None:
    x = torch.zeros(3, requires_grad=True)
    given = torch.tensor([float("inf"), float("nan"), 1.0])
    quantize(x, "e4m3", backward="e5m2").backward(given)
    assert x.grad.nan_to_num(nan=7.0).tolist() == [float(torch.finfo().max), 7.0, 1.0]


DRAWS = 200_000


def draws(values: float, rounding: str, way: str) -> np.ndarray:
    module = Quantizer(
        **{way: "fixed<8,3>", f"{way}_rounding": rounding}, seed=1, stream=f"{way} {values}"
    )
    x = torch.full((DRAWS,), values, requires_grad=True)
    y = module(x)
    y.backward(torch.full((DRAWS,), values))
    return np.asarray((y.detach() if way == "forward" else x.grad).numpy(), np.float64)


@pytest.mark.parametrize("way", ["forward", "backward"])
@pytest.mark.parametrize("value", [1.03, -0.7, 0.001])
def test_stochastic_rounding_is_unbiased(value: float, way: str) -> None:
    """Mean and variance of a Bernoulli step; 12 comparisons, false alarm 7e-6 together."""
    found, value = draws(value, "stochastic", way), float(np.float32(value))
    fraction = value * 8 % 1
    variance = fraction * (1 - fraction) / 64
    assert abs(mean_z(found, value, variance)) < LIMIT_Z
    assert abs(variance_z(found, value, variance)) < LIMIT_Z


@pytest.mark.parametrize("way", ["forward", "backward"])
def test_nearest_rounding_is_rejected_as_biased(way: str) -> None:
    """Negative control."""
    assert abs(mean_z(draws(1.03, "nearest_even", way), 1.03, 0.03 * 0.095)) > LIMIT_Z


def share_alike(a: torch.Tensor, b: torch.Tensor) -> float:
    """p-value of how often two draws with probability one half agree."""
    return binomial_p(int((a == b).sum()), a.numel(), 0.5)


HALF = torch.full((DRAWS,), 1.0 + 1 / 16)


def drawn(module: Quantizer, calls: int = 1) -> list[torch.Tensor]:
    """The values and gradients of some calls."""
    found = []
    for _ in range(calls):
        x = HALF.clone().requires_grad_()
        y = module(x)
        y.backward(HALF)
        found += [y.detach(), x.grad]
    return found


def both(seed: int, stream: int | str | None = None) -> Quantizer:
    how = {"forward_rounding": "stochastic", "backward_rounding": "stochastic"}
    return Quantizer("fixed<8,3>", "fixed<8,3>", **how, seed=seed, stream=stream)


def test_calls_ways_seeds_and_modules_share_no_draws() -> None:
    """All pairs of: two calls, forward and backward, of two seeds, two names and two modules
    without names. False alarm 1e-9 together."""
    modules = [both(1, "a"), both(2, "a"), both(1, "b"), both(1), both(1)]
    found = [draw for module in modules for draw in drawn(module, 2)]
    pairs = [(a, b) for i, a in enumerate(found) for b in found[:i]]
    assert min(share_alike(a, b) for a, b in pairs) > FALSE_ALARM / len(pairs)


def test_equal_streams_are_rejected_as_dependent() -> None:
    """Negative control: two modules with one name."""
    (a, _), (b, _) = drawn(both(1, "a")), drawn(both(1, "a"))
    assert share_alike(a, b) < FALSE_ALARM
