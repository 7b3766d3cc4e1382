"""Law: a fused Langevin step gives the bits of the composition of public functions and torch's own
multiply-adds, on every backend.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

import numformats as nf
from numformats.core.lane import fused
from tests.inputs import assert_same_bits
from tests.runnable import BACKENDS

SIZES = (0, 1, 7, 1025)
LARGE = 70_001  # shared between threads
FORMATS = ["fixed<8,6>", "e4m3", "e5m2", "e8m0", "float<4,3,subnormals=false>", "bf16"]


def arrays(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    theta, grad = rng.normal(size=(2, n)).astype(np.float32)
    theta[: n // 50], grad[: n // 60] = 0.0, 1e-3
    if n > 1000:
        theta[500], theta[501], grad[502] = np.nan, np.inf, -np.inf
    return theta, grad


def composed(theta: np.ndarray, grad: np.ndarray, **how: Any) -> tuple[Any, Any, int, int]:
    """The same step, function by function."""
    key, rounding = how["key"], how.get("rounding", "stochastic")
    drawn = nf.roundings()[rounding].stochastic

    def settled(x: torch.Tensor) -> torch.Tensor:  # torch's NaN is the processor's
        return torch.where(x.isnan(), torch.nan, x)

    def rounded(x: torch.Tensor, fmt: str, use: int) -> torch.Tensor:
        return nf.quantize(x, fmt, rounding, key=key.fold(use) if drawn else None)

    mean, slope = torch.from_numpy(theta), torch.from_numpy(grad)
    if how.get("gradient"):
        slope = rounded(slope, how["gradient"], 0)
    if how.get("weight_decay"):
        slope = slope.add(mean, alpha=how["weight_decay"])
    mean = settled(mean.add(slope, alpha=-how["lr"]))
    variance, weight = how["variance"], how.get("weight")
    if how["accumulator"] == "variance_corrected":
        out, found = nf.variance_corrected(
            mean, variance, weight, key=key.fold(2), return_counts=True
        )
        return out.numpy(), out.numpy(), found.deficit, found.saturated
    if variance:
        noise = torch.from_numpy(nf.random.normal(mean.shape, key.fold(1)))
        mean = settled(mean.add(noise, alpha=math.sqrt(variance)))
    if weight is None:
        return mean.numpy(), mean.numpy(), 0, 0
    seen, fmt = rounded(mean, weight, 2).numpy(), nf.parse(weight)
    beyond = int(((mean > float(fmt.max)) | (mean < float(fmt.min))).sum())
    kept = mean.numpy() if how["accumulator"] == "full" else seen
    return kept, seen, 0, beyond


CASES = [
    {"accumulator": "full", "variance": 0.0},
    {"accumulator": "full", "variance": 0.01, "weight_decay": 0.1},
    *(
        {"accumulator": accumulator, "variance": variance, "weight": fmt, "gradient": "fixed<8,6>"}
        | {"weight_decay": 0.01 * (variance > 0)}
        for accumulator in ("full", "low", "variance_corrected")
        for variance in (0.0, 0.003)
        for fmt in FORMATS
        if accumulator != "variance_corrected" or fmt != "e8m0"
    ),
]


@pytest.mark.parametrize("rounding", ["stochastic", "nearest_even"])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_equals_the_composition(case: int, rounding: str) -> None:
    how = CASES[case] | {"key": nf.Key(11, 3), "lr": 0.05, "rounding": rounding}
    several = how.get("weight") == "fixed<8,6>"
    for n in (*SIZES, *(LARGE,) * several):
        theta, grad = arrays(n)
        wanted = composed(theta, grad, **how)
        for backend in BACKENDS:
            got = nf.langevin_step(theta, grad, backend=backend, **how)
            assert_same_bits(got.stored, wanted[0])
            assert_same_bits(got.seen, wanted[1])
            assert (got.deficit, got.saturated) == wanted[2:], backend


def test_the_comparison_sees_a_product_that_is_rounded_first() -> None:
    """Negative control: multiply, round, then add is another step."""
    theta, grad = arrays(1025)
    got = nf.langevin_step(theta, grad, lr=0.05, variance=0.0, key=0).stored
    assert (got != theta - np.float32(0.05) * grad)[:400].any()


def test_fused_multiply_add_is_rounded_once() -> None:
    rng = np.random.default_rng(5)
    a, b, c = rng.normal(size=(3, 4000)).astype(np.float32)
    c[:2000] = -(a * b)[:2000]  # cancels: the low bits of the product decide
    c[2000:3000] *= np.float32(2.0) ** rng.integers(-40, 40, 1000).astype(np.float32)
    got = fused(a, b, c)
    for x, y, z, value in zip(*(v.tolist() for v in (a, b, c, got)), strict=True):
        exact = Fraction(x) * Fraction(y) + Fraction(z)
        below, above = (np.nextafter(np.float32(value), np.float32(s)) for s in (-np.inf, np.inf))
        miss = abs(Fraction(value) - exact)
        assert miss <= abs(Fraction(float(below)) - exact), (x, y, z)
        assert miss <= abs(Fraction(float(above)) - exact), (x, y, z)


@pytest.mark.parametrize("keeps", [False, True])
def test_in_place_strides_and_torch(keeps: bool) -> None:
    theta, grad = (a.reshape(5, 205) for a in arrays(1025))
    how = {"lr": 0.1, "variance": 0.01, "key": 4, "weight": "e4m3"}
    how["accumulator"] = "full" if keeps else "low"
    wanted = nf.langevin_step(theta, grad, **how)
    again = theta.copy()
    got = nf.langevin_step(again, grad, inplace=True, **how)
    assert got.stored is again
    assert (got.seen is again) != keeps
    assert_same_bits(again, wanted.stored)
    columns = np.asfortranarray(theta)
    nf.langevin_step(columns, grad, inplace=True, **how)
    assert_same_bits(np.ascontiguousarray(columns), wanted.stored)
    tensor = torch.from_numpy(theta.copy())
    found = nf.langevin_step(tensor, torch.from_numpy(grad), inplace=True, **how)
    assert found.stored is tensor
    assert_same_bits(tensor.numpy(), wanted.stored)
    assert_same_bits(found.seen.numpy(), wanted.seen)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("layout", ["plain", "columns", "on grad", "tensor"])
def test_a_weight_goes_where_it_is_wanted(layout: str, inplace: bool) -> None:
    theta, grad = (a.reshape(5, 205) for a in arrays(1025))
    how = {"lr": 0.1, "variance": 0.01, "key": 4, "weight": "e4m3", "gradient": "e5m2"}
    wanted = nf.langevin_step(theta, grad, **how)
    held, slope = theta.copy(), grad.copy()
    out = {"columns": np.empty((205, 5), np.float32).T, "on grad": slope}.get(layout, held + 1)
    given = [torch.from_numpy(a) if layout == "tensor" else a for a in (held, slope, out)]
    found = nf.langevin_step(given[0], given[1], **how, inplace=inplace, out=given[2])
    assert found.seen is given[2]
    assert (found.stored is given[0]) == inplace
    assert_same_bits(np.ascontiguousarray(out), wanted.seen)
    assert_same_bits(np.asarray(found.stored), wanted.stored)
    assert_same_bits(held, wanted.stored if inplace else theta)
    assert found[2:] == wanted[2:]


X, G = arrays(8)
BAD: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "float64": ({"theta": X.astype(float)}, TypeError, "theta has dtype float64.*compose"),
    "shape": ({"grad": G[:3]}, ValueError, r"grad has shape \(3,\), theta \(8,\)"),
    "block": ({"weight": "mxfp4"}, ValueError, "weight=mxfp4 is a block format"),
    "wrap": ({"gradient": nf.FixedPoint(8, 3, overflow="wrap")}, ValueError, "wrapping format"),
    "accumulator": ({"accumulator": "vc"}, ValueError, "accumulator='vc' is unknown"),
    "no weight": ({"accumulator": "low"}, ValueError, "but weight is None"),
    "no key": ({"key": None}, ValueError, "key is missing"),
    "variance": ({"variance": -1.0}, ValueError, "variance is -1.0"),
    "lr": ({"lr": float("nan")}, ValueError, "lr is nan; it must be finite"),
    "weight_decay": ({"weight_decay": np.inf}, ValueError, "weight_decay is inf"),
    "format": ({"weight": "e4m33"}, ValueError, "e4m3"),
    "out of one": ({"out": G, "accumulator": "low", "weight": "e4m3"}, ValueError, "inplace=True"),
    "out of none": ({"out": G}, ValueError, "out receives the weight where"),
    "out on theta": ({"out": X, "weight": "e4m3"}, ValueError, "an array of its own"),
    "out's shape": ({"out": G[:3], "weight": "e4m3"}, ValueError, r"out has shape \(3,\)"),
}


@pytest.mark.parametrize("what", BAD)
def test_bad_input_is_refused(what: str) -> None:
    change, error, words = BAD[what]
    given = {"theta": X, "grad": G, "lr": 0.1, "variance": 0.0, "key": 1} | change
    with pytest.raises(error, match=words):
        nf.langevin_step(given.pop("theta"), given.pop("grad"), **given)


def test_a_read_only_accumulator_is_refused() -> None:
    held = X.copy()
    held.flags.writeable = False
    with pytest.raises(ValueError, match="theta is read-only"):
        nf.langevin_step(held, G, lr=0.1, variance=0.0, key=1, inplace=True)
    assert nf.langevin_step(held, G, lr=0.1, variance=0.0, key=1).stored.flags.writeable
