"""Laws: element-wise results are values of their format, each rounded once, and so are the errors
that come back.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import numformats as nf
from numformats.torch import simulate

Tensor = torch.Tensor
X = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))


def q(x: Tensor, fmt: str = "e4m3") -> Tensor:
    result: Tensor = nf.quantize(x.detach(), fmt)
    return result


FUNCTIONS: dict[str, Any] = {
    "add": lambda x: x + 0.3,
    "radd": lambda x: 0.3 + x,
    "rsub": lambda x: 0.3 - x,
    "mul": lambda x: torch.mul(x, x),
    "div": lambda x: x / 3,
    "pow": lambda x: x**2,
    "gelu": F.gelu,
    "relu": torch.relu,
    "silu": F.silu,
    "sigmoid": lambda x: x.sigmoid(),
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: torch.log_softmax(x, -1),
    "layer_norm": lambda x: F.layer_norm(x, (8,)),
    "rms_norm": lambda x: F.rms_norm(x, (8,)),
    "batch_norm": nn.BatchNorm1d(8),
    "dropout": lambda x: F.dropout(x, 0.5, False),
    "softshrink": lambda x: F.softshrink(x, 0.1),
    "float_power": lambda x: x.float_power(2),
    "ldexp": lambda x: torch.ldexp(x, torch.tensor(1)),
    "diff": lambda x: torch.diff(x),
    "frac": torch.frac,
    "gammaln": torch.special.gammaln,
    "ndtr": torch.special.ndtr,
    "expit": torch.special.expit,
    "avg_pool": lambda x: F.avg_pool1d(x, 2),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_elementwise_results_are_rounded(name: str) -> None:
    call = FUNCTIONS[name]
    x, y = X.clone().requires_grad_(), X.clone().requires_grad_()
    plain = call(x)
    with simulate("fp32", mode="fast", elementwise="e4m3") as simulation:
        got = call(y)
    assert torch.equal(got, q(plain))
    (row,) = simulation.report().rows
    assert (row["formats"], row["count"]) == ("e4m3", 1)
    error = torch.randn(got.shape, generator=torch.Generator().manual_seed(1))
    plain.backward(q(error))
    got.backward(error)
    torch.testing.assert_close(y.grad, x.grad)


@pytest.mark.parametrize("call", ["add_", "mul_", "relu_", "sigmoid_", "iadd", "functional"])
def test_in_place_operations_are_rounded_in_place(call: str) -> None:
    def run(x: Tensor) -> Tensor:
        if call == "iadd":
            x += 0.3
        elif call == "functional":
            F.relu(x, inplace=True)
        else:
            getattr(x, call)(*([0.3] if call in ("add_", "mul_") else []))
        return x

    leaf, other = X.clone().requires_grad_(), X.clone().requires_grad_()
    plain = run(leaf.clone())
    with simulate("fp32", mode="fast", elementwise="e4m3"):
        copy = other.clone()
        got = run(copy)
    assert got is copy
    assert torch.equal(got, q(plain))
    got.sum().backward()
    plain.sum().backward()
    torch.testing.assert_close(other.grad, leaf.grad)


def test_out_is_rounded() -> None:
    out = torch.empty(0)
    with simulate("fp32", mode="fast", elementwise="e4m3"):
        torch.add(X, 0.3, out=out)
    assert torch.equal(out, q(X + 0.3))


def test_stochastic_elementwise_rounding_repeats() -> None:
    def run(seed: int) -> Tensor:
        with simulate(
            "fp32", mode="fast", elementwise="e4m3", elementwise_rounding="stochastic", seed=seed
        ):
            return X + 0.3

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    assert torch.equal(run(1), q(run(1)))


@pytest.mark.parametrize("mode", ["exact", "fast"])
def test_attention_rounds_its_probabilities(mode: str) -> None:
    q_, k, v = (torch.randn(2, 4, 8) for _ in range(3))
    with simulate("amd-mi300-fp32", mode=mode, elementwise="bf16") as simulation:
        F.scaled_dot_product_attention(q_, k, v)
    assert {"mul", "softmax"} <= {row["op"] for row in simulation.report().rows}


@pytest.mark.parametrize("layer", [nn.LSTM(8, 4), nn.GRU(8, 4), nn.RNN(8, 4), nn.LSTMCell(8, 4)])
@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("chip", ["bf16", "fp32"])
def test_recurrent_layers_keep_rounded_states(layer: nn.Module, chip: str, mode: str) -> None:
    with simulate(chip, mode=mode, elementwise="e4m3") as simulation:
        y, state = layer(X)
        y.sum().backward()
    for x in (y, *(state if isinstance(state, tuple) else (state,))):
        assert torch.equal(x, q(x))
    assert {"sigmoid", "mul", "tanh", "add"} & {row["op"] for row in simulation.report().rows}


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)], ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_odd_shapes_are_rounded(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.full(shape, 1.05, dtype=dtype)
    with simulate("fp32", mode="fast", elementwise="e4m3"):
        y = x + 0.01
    assert (y.shape, y.dtype) == (x.shape, dtype)
    assert torch.equal(y, q(x + 0.01))


LEFT: dict[str, tuple[Any, str]] = {
    "grad": (lambda: torch.func.grad(lambda x: x.tanh().sum())(X), "a torch.func transform"),
    "vmap": (lambda: torch.func.vmap(torch.tanh)(X), "a torch.func transform"),
    "jvp": (lambda: torch.func.jvp(torch.tanh, (X,), (X,))[1], "a torch.func transform"),
    "complex": (lambda: X * 1j, "complex64"),
    "sparse": (lambda: (X.to_sparse() * 2).to_dense(), "layout sparse_coo"),
    "meta": (lambda: torch.empty(3, device="meta").tanh(), "meta tensors"),
    "variance and mean": (lambda: torch.var_mean(X)[0], "a reduction"),
    "hinge": (lambda: F.hinge_embedding_loss(X, X.sign()), "a reduction"),
    "margin": (lambda: F.multi_margin_loss(X, torch.zeros(len(X)).long()), "a reduction"),
    "quantile": (lambda: X.quantile(0.3), "a reduction"),
    "fold": (lambda: F.fold(X[:1, :4, None].expand(1, 4, 4), (3, 3), 2), "a reduction"),
    "scatter": (lambda: X[0].index_add(0, torch.tensor([1, 1]), X[0, :2]), "a reduction"),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_not_rounded_is_counted(name: str) -> None:
    call, reason = LEFT[name]
    wanted = call()
    with simulate("fp32", mode="fast", elementwise="e4m3") as simulation:
        got = call()
    assert any(reason in row["reason"] for row in simulation.report().full_precision)
    assert not simulation.report().simulated
    assert got.is_meta or torch.equal(got, wanted)
    with simulate("fp32", mode="fast", elementwise="e4m3") as simulation:
        torch.arange(3) * 2
    assert not simulation.report().rows  # integers are nobody's results


def test_tangents_and_batched_gradients() -> None:
    with simulate("fp32", mode="fast", elementwise="e4m3") as simulation:
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(X, torch.ones_like(X)).tanh()
            assert torch.autograd.forward_ad.unpack_dual(dual).tangent is not None
        (row,) = simulation.report().full_precision
        assert row["reason"] == "forward-mode differentiation"
        with pytest.raises(NotImplementedError, match="vectorize=False"):
            torch.autograd.functional.jacobian(torch.tanh, X[0], vectorize=True)
