"""Law: a Quantizer computes what is written out over NumPy, under every transform of PyTorch."""

from __future__ import annotations

import copy
import os
import pickle
import shutil
from collections.abc import Callable
from itertools import product
from typing import Any

import numba
import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize
from torch.utils.checkpoint import checkpoint

import numformats as nf
from numformats.torch import Quantizer, allocating
from tests.inputs import assert_same_bits
from tests.torch.written_out import CASES, DTYPES, WrittenOut, made, run, sample, to_numpy

SEVERAL = ["both, stochastic", "delayed"] if shutil.which("g++") else []  # Inductor compiles C++
each_case = pytest.mark.parametrize("case", CASES)


def assert_as_written(
    case: str, call: Callable[..., Any], shape: tuple[int, ...] = (6, 40), dtype: Any = DTYPES[0]
) -> None:
    """Three calls of ``call``, values and gradients, from step 0 on."""
    written = WrittenOut(case)
    for step in range(3):
        x, g = sample(shape, step, dtype), sample(shape, 7 + step, dtype)
        for got, wanted in zip(run(call, x, g), written(to_numpy(x), to_numpy(g)), strict=True):
            assert_same_bits(to_numpy(got), wanted)


@each_case
@pytest.mark.parametrize("shape", [(6, 40), (), (0, 8), (3, 0), (257,), (2, 3, 5, 7)], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_eager(case: str, dtype: Any, shape: tuple[int, ...]) -> None:
    assert_as_written(case, made(case), shape, dtype)


@each_case
@pytest.mark.parametrize("layout", ["transposed", "strided", "expanded", "channels_last"])
@pytest.mark.parametrize("many", [0, 1 << 22])
def test_layouts(case: str, layout: str, many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout changes neither values nor draws; a dense one is kept, whoever allocates it."""
    monkeypatch.setattr(allocating, "MANY_BYTES", many)
    x = sample((4, 8, 6, 5), 1)
    x = {
        "transposed": lambda: x.transpose(1, 3),
        "strided": lambda: x[:, ::2, :, 1::3],
        "expanded": lambda: x[:, :1].expand(4, 8, 6, 5),
        "channels_last": lambda: x.contiguous(memory_format=torch.channels_last),
    }[layout]()
    g = sample(tuple(x.shape), 2)
    got, wanted = run(made(case), x, g), WrittenOut(case)(to_numpy(x), to_numpy(g))
    for a, b in zip(got, wanted, strict=True):
        assert_same_bits(to_numpy(a), np.ascontiguousarray(b))
    assert got[0].stride() == torch.empty_like(x).stride()


@each_case
def test_meta(case: str) -> None:
    x = torch.empty(3, 40, device="meta", dtype=torch.bfloat16, requires_grad=True)
    y = made(case)(x)
    assert (y.device.type, y.shape, y.dtype) == ("meta", x.shape, x.dtype)
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert made(case).to("meta")(x).device.type == "meta"


@pytest.mark.parametrize(
    "case, backend", [*product(CASES, ["aot_eager"]), *product(SEVERAL, ["inductor"])]
)
def test_compile(case: str, backend: str) -> None:
    """Also: the step of the draws is not frozen, and the third call compiles nothing."""
    torch._dynamo.reset()
    module = made(case)
    compiled = torch.compile(module, fullgraph=True, backend=backend)
    assert_as_written(case, compiled)
    with torch.compiler.set_stance("fail_on_recompile"):
        run(compiled, sample((6, 40), 5), sample((6, 40), 6))


@each_case
def test_export(case: str) -> None:
    """Values of the exported program, call by call, and after decomposition."""
    x, g = sample((6, 40), 0), sample((6, 40), 7)
    for program in (
        torch.export.export(made(case), (x,), strict=False),
        torch.export.export(made(case), (x,), strict=True),
        torch.export.export(made(case), (x,)).run_decompositions(),
    ):
        written, module = WrittenOut(case), program.module()
        for _ in range(3):
            assert_same_bits(to_numpy(module(x)), written(to_numpy(x), to_numpy(g))[0])


@each_case
def test_func_grad(case: str) -> None:
    module, written = made(case), WrittenOut(case)
    for step in range(3):
        x, g = sample((6, 40), step), sample((6, 40), 7 + step)
        got = torch.func.grad(lambda x, g=g: (module(x) * g).sum())(x)
        assert_same_bits(to_numpy(got), written(to_numpy(x), to_numpy(g))[1])


@each_case
def test_autocast(case: str) -> None:
    """What autocast hands over is rounded in its own dtype."""
    linear, module = torch.nn.Linear(40, 40), made(case)
    x, g = sample((6, 40), 0), sample((6, 40), 7, torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        before = linear(x)
        y, grad = run(module, before, g)
    assert y.dtype == torch.bfloat16
    wanted = WrittenOut(case)(to_numpy(before), to_numpy(g))
    assert_same_bits(to_numpy(y), wanted[0])
    assert_same_bits(to_numpy(grad), wanted[1])


def test_amp_skips_a_step_whose_gradient_overflowed() -> None:
    """A gradient format with Inf keeps it, so that the scaler sees it."""
    net = torch.nn.Sequential(torch.nn.Linear(4, 4), Quantizer("e4m3", "e5m2"))
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**4)
    moved = []
    for factor in (1.0, float("inf"), 1.0):
        before = net[0].weight.detach().clone()
        optimizer.zero_grad()
        scaler.scale((net(sample((8, 4), 0)) * factor).sum()).backward()
        scaler.step(optimizer)
        scaler.update()
        moved.append(not torch.equal(before, net[0].weight))
    assert moved == [True, False, True]
    assert scaler.get_scale() == 2.0**3


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda module: pickle.loads(pickle.dumps(module)),
    "half and back": lambda module: copy.deepcopy(module).half().bfloat16().float(),
}


@each_case
@pytest.mark.parametrize("how", [*COPIES, "state_dict"])
def test_copies_go_on_where_the_original_stopped(case: str, how: str) -> None:
    module = made(case)
    run(module, sample((6, 40), 1), sample((6, 40), 2))
    if how == "state_dict":
        other = Quantizer(**CASES[case], seed=1, stream="another")
        other.load_state_dict(module.state_dict())
    else:
        other = COPIES[how](module)
    for step in range(2):
        x, g = sample((6, 40), step), sample((6, 40), 7 + step)
        for a, b in zip(run(module, x, g), run(other, x, g), strict=True):
            assert torch.equal(a, b)
    assert repr(module) == repr(other)


def test_checkpointed_calls_count_twice() -> None:
    """PyTorch leaves the second forward by an exception once it has what backward needs."""
    module = made("values, stochastic")
    x = sample((6, 40), 0).requires_grad_()
    checkpoint(module, x, use_reentrant=False).sum().backward()
    assert module.key[3] == 2


def test_an_exported_program_is_saved_and_loaded(tmp_path: Any) -> None:
    x = sample((6, 40), 0)
    torch.export.save(torch.export.export(made("delayed"), (x,)), tmp_path / "program.pt2")
    program, module = torch.export.load(tmp_path / "program.pt2").module(), made("delayed")
    for _ in range(3):
        assert torch.equal(program(x), module(x))


def test_parametrization_of_a_weight() -> None:
    linear = torch.nn.Linear(8, 4)
    parametrize.register_parametrization(linear, "weight", Quantizer("e4m3", "e5m2"))
    linear(torch.ones(1, 8)).backward(torch.tensor([[0.3, 1.0, 1.7, -0.3]]))
    original = linear.parametrizations.weight.original
    assert_same_bits(to_numpy(linear.weight), nf.quantize(to_numpy(original), "e4m3"))
    wanted = torch.tensor([0.3125, 1.0, 1.75, -0.3125])
    assert torch.equal(original.grad, wanted[:, None].expand(4, 8))


@each_case
def test_inference_mode(case: str) -> None:
    """Counts and records as elsewhere."""
    module, other = made(case), made(case)
    for step in range(2):
        with torch.inference_mode():
            y = module(sample((6, 40), step))
        assert torch.equal(y, other(sample((6, 40), step)))


@each_case
def test_thread_count_changes_nothing(case: str) -> None:
    x, g = sample((1 << 13, 1 << 7), 0), sample((1 << 13, 1 << 7), 1)  # more than one piece
    results = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        results.append(run(made(case), x, g))
    for a, b in zip(*results, strict=True):
        assert torch.equal(a, b)


def _train(rank: int, world: int, folder: str) -> None:
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=world
    )
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(8, 8), made("delayed"), torch.nn.Linear(8, 2))
    ddp = torch.nn.parallel.DistributedDataParallel(net)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
    for step in range(3):
        optimizer.zero_grad()
        ddp(sample((16, 8), step)[rank::world]).square().mean().backward()
        optimizer.step()
    torch.save([*net.parameters(), net[1].key], os.path.join(folder, f"{rank}.pt"))
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_ddp_ranks_agree(tmp_path: Any) -> None:
    """Two processes with other data each: after three steps equal weights and equal keys."""
    torch.multiprocessing.spawn(_train, (2, str(tmp_path)), nprocs=2)
    one, two = (torch.load(tmp_path / f"{rank}.pt") for rank in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert one[-1][3] == 3
