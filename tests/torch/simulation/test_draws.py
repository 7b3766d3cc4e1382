"""Laws: stochastic rounding repeats from its seed, on any number of threads, and is unbiased."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.engines import MACChain
from numformats.torch import simulate
from tests.torch.simulation.zoo import X, layers, same, trained

Tensor = torch.Tensor


RANDOM = Accelerator(
    "stochastic",
    weights="e4m3", activations="e4m3", errors="e5m2", gradients="bf16", rounding="stochastic",
    engine=MACChain("e4m3", "e4m3", accumulator="bf16", rounding="stochastic"),
)  # fmt: skip


@pytest.fixture
def model() -> nn.Module:
    return layers()


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_a_run_repeats_from_its_seed(model: nn.Module, mode: str) -> None:
    def run(**options: Any) -> list[Tensor]:
        with simulate(RANDOM, mode=mode, **options):
            return trained(model, X)

    first = run(seed=3)
    assert same(first, run(seed=3))
    assert not same(first, run(seed=4))
    assert not same(first, run(seed=3, step=1))
    torch.set_num_threads(1)
    try:
        assert same(first, run(seed=3))
    finally:
        torch.set_num_threads(2)


def test_every_call_draws_anew(model: nn.Module) -> None:
    simulation = simulate(RANDOM, mode="fast")
    with simulation:
        first = trained(model, X)
    with simulation:
        second = trained(model, X)
    assert not same(first, second)
    again = simulate(RANDOM, mode="fast")
    with again:
        assert same(first, trained(model, X))
        assert same(second, trained(model, X))


def test_linear_draws_as_the_accelerator_does() -> None:
    """The forward product is ``Accelerator.matmul`` with the key of seed, step, site and count."""
    w = nn.Parameter(torch.randn(4, 32))
    with simulate(RANDOM, seed=5, step=7):
        for count in range(2):
            y = nn.functional.linear(X, w)
            site = hashlib.blake2b(b"/linear", digest_size=8).digest()
            key = nf.Key(5).fold(7).fold(int.from_bytes(site, "little")).fold(count).fold(0)
            assert torch.equal(y, RANDOM.matmul(X, w.detach().T, key=key).float())


def test_stochastic_storage_is_unbiased() -> None:
    """z-test of the mean of 4,000 draws of one weight; false alarms: 6e-7 (5 sigma). Nearest, the
    negative control, is further away.
    """
    w = nn.Parameter(torch.full((4000, 1), 1.05))

    def distance(chip: Accelerator) -> float:
        with simulate(chip, mode="fast"):
            y = nn.functional.linear(torch.ones(1, 1), w)
        p = 0.05 / 0.125
        sigma = 0.125 * (p * (1 - p) / 4000) ** 0.5
        return abs(float(y.detach().double().mean()) - 1.05) / sigma

    assert distance(RANDOM) < 5
    assert distance(dataclasses.replace(RANDOM, rounding="nearest_even")) > 5
