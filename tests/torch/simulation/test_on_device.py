"""Law: exact products of tensors on a device have the host's bits, and go to ``nf.matmul`` as
tensors where its engine takes what is stored. Seen on host tensors that count as a device's.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

import numformats as nf
from numformats.torch import simulate
from numformats.torch.simulation import multiplying, on_device
from tests.torch.simulation.calls import CASES, arguments, gradients
from tests.torch.simulation.zoo import X, layers, trained

THERE = ("nvidia-h100-bf16", "nvidia-h100-fp8", "intel-gaudi2-fp8", "amd-mi300-fp32")
HOST = (
    "nvidia-b200-mxfp8", "nvidia-h100-deepseek", "tenstorrent-wormhole-bfp8", "arm-cmsis-nn-int8",
)  # fmt: skip


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[type]:
    """All tensors count as lying elsewhere; the types of what ``nf.matmul`` got there."""
    found: list[type] = []
    product = nf.matmul

    def matmul(a: Any, b: Any, c: Any = None, **how: Any) -> Any:
        found.extend(type(x) for x in (a, b, c) if x is not None)
        return product(a, b, c, **how)

    monkeypatch.setattr(multiplying, "elsewhere", lambda x: True)
    monkeypatch.setattr(on_device.nf, "matmul", matmul)
    return found


@pytest.mark.parametrize("chip", [*THERE, *HOST])
def test_a_training_step(chip: str, seen: list[type], monkeypatch: pytest.MonkeyPatch) -> None:
    with simulate(chip) as simulation:
        got = trained(layers(), X)
    report = simulation.report()
    assert (set(seen) == {torch.Tensor}) == (chip in THERE)
    monkeypatch.setattr(multiplying, "elsewhere", on_device.elsewhere)
    seen.clear()
    with simulate(chip) as simulation:
        wanted = trained(layers(), X)
    assert not seen
    for a, b in zip(got, wanted, strict=True):
        assert torch.equal(a, b)
    assert report.rows == simulation.report().rows


@pytest.mark.parametrize("name", CASES)
def test_every_call(name: str, seen: list[type], monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[name]
    for chip in ("nvidia-h100-bf16", "nvidia-h100-fp8"):
        with simulate(chip):
            got = gradients(case, arguments(case))
        assert set(seen) <= {torch.Tensor}
        assert seen or name.startswith("embedding")
        with monkeypatch.context() as patch:
            patch.setattr(multiplying, "elsewhere", on_device.elsewhere)
            with simulate(chip):
                wanted = gradients(case, arguments(case))
        for a, b in zip(got, wanted, strict=True):
            assert torch.equal(a, b)


def test_draws_and_empty_products(seen: list[type], monkeypatch: pytest.MonkeyPatch) -> None:
    chain = nf.engines.MACChain("fp16", "fp16", accumulator="fp16", rounding="stochastic")
    given = nf.accelerator("nvidia-h100-bf16")
    chip = dataclasses.replace(
        given, name="drawing", engine=chain, weights="e4m3", activations="e4m3", errors="e4m3"
    )
    w, empty = nn.Parameter(torch.randn(4, 32)), nn.Parameter(torch.zeros(4, 0))
    found = []
    for there in (True, False):
        monkeypatch.setattr(multiplying, "elsewhere", lambda x, there=there: there)
        with simulate(chip, seed=3):
            found.append(
                [
                    nn.functional.linear(X, w, torch.ones(4)),
                    nn.functional.linear(torch.zeros(3, 0), empty, torch.ones(4)),
                    nn.functional.linear(X[:0], w),
                ]
            )
    assert seen
    for a, b in zip(*found, strict=True):
        assert torch.equal(a, b)
