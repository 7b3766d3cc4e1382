"""Law: what is computed is the product that was asked for. On a unit of float64, every intercepted
call and its gradients are torch's, up to rounding, on every path through the simulation.
"""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import numformats as nf
from numformats.accelerators import Accelerator
from numformats.torch import simulate
from numformats.torch.simulation import fast_convolution, interception, operands, products
from tests.torch.simulation.calls import CASES, arguments, gradients

CHIP = Accelerator(
    "float64", weights="fp64", activations="fp64", engine=nf.accelerator("nvidia-h100-fp64").engine
)


@pytest.fixture
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One way through the simulation: (mode, whether operands are stored once)."""
    mode, once = request.param
    monkeypatch.setattr(interception, "identical", lambda *_: False)
    for module in (fast_convolution, operands, products):
        monkeypatch.setattr(module, "shared", lambda *_: once)
    return mode


PATHS = [("exact", True), ("exact", False), ("fast", True), ("fast", False)]


@pytest.mark.parametrize("path", PATHS, ids=str, indirect=True)
@pytest.mark.parametrize("name", CASES)
def test_calls_are_what_torch_computes(name: str, path: str) -> None:
    case = CASES[name]
    values = arguments(case, torch.float64)
    wanted = gradients(case, values)
    with simulate(CHIP, mode=path) as simulation:
        got = gradients(case, values)
    for x, y in zip(got, wanted, strict=True):
        assert x.shape == y.shape
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)
    rows = simulation.report().rows
    assert rows
    assert all(row["status"] == "simulated" for row in rows)


@pytest.mark.parametrize("mode", ["exact", "fast"])
@pytest.mark.parametrize("name", CASES)
def test_autocast_casts_what_torch_casts(name: str, mode: str) -> None:
    call, shapes, parameters = CASES[name]
    kinds = [nn.Parameter if n in parameters else torch.Tensor for n in range(len(shapes))]
    inputs = [kind(torch.randn(shape)) for kind, shape in zip(kinds, shapes, strict=True)]

    def results() -> tuple[torch.Tensor, ...]:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = call(*inputs)
        return found if isinstance(found, tuple) else (found,)

    wanted = results()
    with simulate("e4m3", mode=mode):
        got = results()
    assert [x.dtype for x in got] == [x.dtype for x in wanted]
    with simulate("fp32", mode=mode):
        for x, y in zip(results(), wanted, strict=True):
            torch.testing.assert_close(x, y, rtol=0.05, atol=0.05)


@pytest.mark.parametrize("name", CASES)
def test_without_gradients(name: str) -> None:
    case = CASES[name]
    values = [x.detach() for x in arguments(case, torch.float64)]
    wanted = case.call(*values)
    with torch.inference_mode(), simulate(CHIP) as simulation:
        got = case.call(*values)
    torch.testing.assert_close(got, wanted, rtol=1e-12, atol=1e-12)
    assert not simulation.report().full_precision


@pytest.mark.parametrize("name", CASES)
def test_backward_after_the_context(name: str) -> None:
    """The graph carries the accelerator; what it computes is counted all the same."""
    case = CASES[name]
    values, other = arguments(case), arguments(case)
    with simulate("nvidia-h100-fp8", mode="fast"):
        wanted = gradients(case, values)
    simulation = simulate("nvidia-h100-fp8", mode="fast")

    def run(*args: torch.Tensor) -> torch.Tensor:
        with simulation:
            return case.call(*args)

    got = gradients(case, other, run)
    for x, y in zip(got, wanted, strict=True):
        assert torch.equal(x, y)
    backward = [row for row in simulation.report().rows if row["direction"] == "backward"]
    assert bool(backward) != name.startswith("embedding")


A, B, V, BATCH = torch.randn(3, 3), torch.randn(3, 3), torch.randn(3), torch.randn(2, 3, 3)
KEYWORDS = {
    "linear": lambda: F.linear(input=A, weight=B, bias=V),
    "matmul": lambda: torch.matmul(input=A, other=B),
    "method": lambda: A.matmul(other=B),
    "mm": lambda: torch.mm(input=A, mat2=B),
    "bmm": lambda: BATCH.bmm(mat2=BATCH),
    "mv": lambda: torch.mv(input=A, vec=V),
    "dot": lambda: torch.dot(input=V, tensor=V),
    "vdot": lambda: torch.vdot(input=V, other=V),
    "inner": lambda: torch.inner(input=A, other=B),
    "vecdot": lambda: torch.linalg.vecdot(x=A, y=B, dim=0),
    "addmm": lambda: A.addmm(mat1=A, mat2=B, beta=2),
    "addbmm": lambda: torch.addbmm(input=A, batch1=BATCH, batch2=BATCH),
    "addmv": lambda: torch.addmv(input=V, mat=A, vec=V),
    "multi_dot": lambda: torch.linalg.multi_dot(tensors=[A, B, A]),
    "chain_matmul": lambda: torch.chain_matmul(A, B, A),
    "einsum": lambda: torch.einsum("ij,jk->ik", [A, B]),
    "tensordot": lambda: torch.tensordot(a=A, b=B, dims=1),
    "bilinear": lambda: F.bilinear(input1=A, input2=B, weight=BATCH),
    "conv": lambda: F.conv1d(input=BATCH, weight=BATCH, stride=1, padding=(1,), groups=1),
    "transposed": lambda: F.conv_transpose1d(input=BATCH, weight=A[:, :, None], output_padding=0),
    "attention": lambda: F.scaled_dot_product_attention(query=A, key=A, value=B, scale=1.0),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KEYWORDS)
def test_arguments_have_the_names_of_torch(name: str) -> None:
    wanted = KEYWORDS[name]()
    with simulate("amd-mi300-fp32") as simulation:
        got = KEYWORDS[name]()
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    assert simulation.report().simulated
    assert not simulation.report().full_precision


OUT = {
    "mm": lambda out: torch.mm(A, B, out=out),
    "matmul": lambda out: torch.matmul(BATCH, B, out=out),
    "addmm": lambda out: torch.addmm(V, A, B, out=out),
    "baddbmm_": lambda out: BATCH.clone().baddbmm_(BATCH, BATCH),
    "addmv_": lambda out: V.clone().addmv_(A, V),
    "addbmm_": lambda out: A.clone().addbmm_(BATCH, BATCH),
}


@pytest.mark.parametrize("name", OUT)
def test_results_go_where_they_are_wanted(name: str) -> None:
    wanted, out = OUT[name](torch.empty(0)), torch.empty(0)
    with simulate("amd-mi300-fp32") as simulation:
        got = OUT[name](out)
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-5)
    assert (got is out) != name.endswith("_")
    assert not simulation.report().full_precision
