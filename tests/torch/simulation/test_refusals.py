"""Laws: what cannot be simulated is counted with its reason, and bad input is refused in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from numformats.torch import simulate

Tensor = torch.Tensor


X = torch.randn(6, 32, generator=torch.Generator().manual_seed(0))


@torch.library.custom_op("testing::twice", mutates_args=())
def twice(x: Tensor) -> Tensor:
    """An operator that torch does not know."""
    return x * 2


def tangents() -> Tensor:
    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(torch.ones(2, 2), torch.ones(2, 2))
        found: Tensor = torch.autograd.forward_ad.unpack_dual(x @ x).tangent
        return found


LEFT: dict[str, tuple[Callable[[], Any], str]] = {
    "complex": (lambda: torch.ones(2, 2) * 1j @ (torch.ones(2, 2) * 1j), "complex64"),
    "integer": (lambda: torch.arange(4).reshape(2, 2) @ torch.arange(4).reshape(2, 2), "int64"),
    "sparse": (lambda: torch.eye(3).to_sparse() @ torch.eye(3), "sparse_coo"),
    "meta": (lambda: torch.empty(2, 3, device="meta") @ torch.empty(3, 2, device="meta"), "meta"),
    "vmap": (lambda: torch.func.vmap(lambda a: a @ a)(torch.ones(2, 3, 3)), "torch.func"),
    "script": (lambda: torch.jit.script(nn.Linear(3, 2))(torch.ones(1, 3)), "not intercepted"),
    "distance": (lambda: torch.cdist(torch.ones(30, 3), torch.ones(30, 3)), "not intercepted"),
    "in place": (
        lambda: torch.ops.aten.addmm_(*(torch.ones(2, 2) for _ in "cab")),
        "not intercepted",
    ),
    "solver": (lambda: torch.linalg.inv(torch.eye(2)), "not intercepted"),
    "products of sparse matrices": (
        lambda: torch.hspmm(torch.eye(3).to_sparse(), torch.ones(3, 3)),
        "not intercepted",
    ),
    "other libraries": (lambda: torch.ops.testing.twice(torch.ones(3)), "another library"),
    "tangents": (tangents, "forward-mode"),
    "aten": (lambda: torch.ops.aten.mm(torch.eye(2), torch.ones(2, 2)), "not intercepted"),
    "subclass": (lambda: torch.ones(2, 2).as_subclass(Other) @ torch.ones(2, 2), "Other"),
    "parameters of a law of their own": (
        lambda: torch.ones(1, 2) @ Odd(torch.ones(2, 2)),
        "Odd",
    ),
    "sparse gradients": (
        lambda: nn.functional.embedding(
            torch.tensor([1]), nn.Parameter(torch.ones(2, 3)), sparse=True
        ),
        "sparse gradients",
    ),
}


class Other(torch.Tensor):
    """A subclass of tensors."""


class Odd(nn.Parameter):
    """Parameters whose calls it sees itself."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


class Named(nn.Parameter):
    """Parameters that leave all calls to torch, as those of FSDP do."""


def test_parameters_of_a_plain_subclass_are_simulated() -> None:
    x, weight = torch.randn(3, 8), torch.randn(4, 8)
    found = []
    for kind in (nn.Parameter, Named):
        w = kind(weight.clone())
        with simulate("nvidia-h100-fp8") as simulation:
            y = nn.functional.linear(x, w)
            y.sum().backward()
        assert not simulation.report().full_precision
        found.append((y.detach(), w.grad))
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert not torch.equal(found[0][0], x @ weight.T)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", LEFT)
def test_what_cannot_be_simulated_is_counted(name: str) -> None:
    call, reason = LEFT[name]
    wanted = call()
    with simulate("e4m3") as simulation:
        got = call()
    report = simulation.report()
    assert not report.simulated
    assert sum(row["count"] for row in report.full_precision) >= 1
    assert any(reason in row["reason"] for row in report.full_precision)
    if name not in ("meta", "script"):
        torch.testing.assert_close(got.to_dense(), wanted.to_dense())


class Foreign:
    """An operand that computes products by itself."""

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return 7


def test_foreign_operands_compute_by_themselves() -> None:
    with simulate("e4m3") as simulation:
        assert torch.mm(torch.ones(2, 2), Foreign()) == 7
    assert "Foreign" in simulation.report().full_precision[0]["reason"]


def test_fourier_transforms_are_counted() -> None:
    with simulate("e4m3") as simulation:
        torch.fft.irfft(torch.fft.rfft(torch.ones(4)))
    ops = [row["op"] for row in simulation.report().full_precision]
    assert ops == ["aten._fft_r2c", "aten._fft_c2r"]


BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "accelerator": (lambda: simulate("nvidia-h100-fp9"), ValueError, "nvidia-h100-fp8"),
    "nothing": (lambda: simulate(None), TypeError, "nvidia-h100-fp8"),
    "mode": (lambda: simulate("e4m3", mode="quick"), ValueError, "exact, fast"),
    "seed": (lambda: simulate("e4m3", seed=-1), ValueError, "seed"),
    "elementwise": (lambda: simulate("e4m3", elementwise="e4m9"), ValueError, "e4m"),
    "rounding": (lambda: simulate("e4m3", elementwise_rounding="near"), ValueError, "nearest_even"),
    "order": (lambda: simulate("e4m3", nn.Linear(2, 2)), TypeError, r"simulate\(model"),
    "no accelerator": (lambda: simulate(nn.Linear(2, 2)), TypeError, "accelerator is missing"),
    "twice": (
        lambda: simulate(simulate(nn.Linear(2, 2), "e4m3"), "e4m3"), ValueError, r"\.remove\(\)",
    ),
    "role": (
        lambda: simulate("nvidia-h100-fp8", rules={"weights": "fp32"}), ValueError,
        "choose an engine",
    ),
    "rule": (lambda: simulate("e4m3", rules={"fc": 7}), TypeError, "rule 'fc'"),
    "rules": (lambda: simulate("e4m3", rules=["fc"]), TypeError, "mapping"),
    "not attached": (lambda: simulate("e4m3").remove(), ValueError, "no model"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_refused(name: str) -> None:
    call, kind, words = BAD[name]
    with pytest.raises(kind, match=words):
        call()


WRONG: dict[str, Callable[[], Any]] = {
    "inner axes": lambda: torch.mm(torch.ones(2, 3), torch.ones(4, 2)),
    "channels": lambda: nn.functional.conv2d(torch.ones(1, 3, 4, 4), torch.ones(2, 4, 3, 3)),
    "padding": lambda: nn.functional.conv2d(
        torch.ones(1, 3, 4, 4), torch.ones(2, 3, 3, 3), padding="full"
    ),
    "stride": lambda: nn.functional.conv1d(
        torch.ones(1, 3, 4), torch.ones(2, 3, 3), padding="same", stride=2
    ),
    "letters": lambda: torch.einsum("ijk,kl->il", torch.ones(2, 3), torch.ones(3, 2)),
    "an unknown letter": lambda: torch.einsum("ij,jk->iz", torch.ones(2, 3), torch.ones(3, 2)),
    "a letter twice": lambda: torch.einsum("ij,jk->ii", torch.ones(2, 3), torch.ones(3, 2)),
    "sizes": lambda: torch.einsum("ij,jk->ik", torch.ones(2, 3), torch.ones(4, 2)),
    "masks": lambda: nn.functional.scaled_dot_product_attention(
        *(torch.ones(1, 2, 2),) * 3, attn_mask=torch.ones(2, 2), is_causal=True
    ),
    "dtypes": lambda: torch.mm(torch.ones(2, 2), torch.ones(2, 2, dtype=torch.float64)),
    "dtype of out": lambda: torch.mm(*(torch.ones(2, 2),) * 2, out=torch.ones(2, 2).int()),
    "batched gradients": lambda: torch.autograd.functional.jacobian(
        lambda x: x @ x, torch.ones(2, 2), vectorize=True
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_arguments_are_refused(name: str) -> None:
    with simulate("e4m3"), pytest.raises((ValueError, TypeError, RuntimeError)) as caught:
        WRONG[name]()
    assert len(str(caught.value)) > 20
    with simulate("e4m3") as simulation:
        assert torch.equal(torch.eye(2) @ torch.eye(2), torch.eye(2))
    assert not simulation.report().full_precision
