"""A run that was interrupted gives the bits of the uninterrupted one, in every precision, on any
number of threads."""

import io
import subprocess
import sys
from pathlib import Path

import numba
import pytest
import torch

from samplers import SGLD, CosineCycles, Laplace, PerChannel, Precision
from tests.samplers.algorithms import ALGORITHMS

pytestmark = pytest.mark.law

PRECISIONS = {
    "float32": None,
    "full": Precision("fixed<8,5>", "e4m3", "full"),
    "low": Precision("e4m3", "e4m3", "low"),
    "variance_corrected": Precision("fixed<8,5>", "fixed<8,5>", "variance_corrected"),
    "per channel": Precision(PerChannel(8), PerChannel(8), "variance_corrected"),
}


def build(precision, dtype, seed=3, name="SGLD"):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 300), torch.nn.Tanh(), torch.nn.Linear(300, 2)
    ).to(dtype)
    options = {"lr": 0.05, "num_data": 100, "precision": precision, "seed": seed}
    if name == "pSGLD":
        options["adapt_steps"] = 5
    optimizer = ALGORITHMS[name].build(model.named_parameters(), **options)
    return model, optimizer, CosineCycles(optimizer, steps=8, cycles=2, exploration=0.25)


def advance(parts, steps):
    model, optimizer, cycles = parts
    x = torch.linspace(-1, 1, 24).reshape(4, 6).to(next(model.parameters()).dtype)
    for _ in range(steps):
        optimizer.zero_grad()
        (model(x) ** 2).mean().backward()
        optimizer.step()
        cycles.step()


def everything(parts):
    states = list(parts[1].state.values())
    tensors = [v for state in states for v in state.values() if isinstance(v, torch.Tensor)]
    numbers = [v for state in states for v in state.values() if not isinstance(v, torch.Tensor)]
    return [p.detach() for p in parts[0].parameters()] + tensors, [
        *numbers,
        parts[1].param_groups[0]["lr"],
    ]


def assert_same(a, b):
    (tensors_a, numbers_a), (tensors_b, numbers_b) = everything(a), everything(b)
    assert numbers_a == numbers_b
    assert a[1].counters() == b[1].counters()
    assert all(
        x.dtype == y.dtype and torch.equal(x, y) for x, y in zip(tensors_a, tensors_b, strict=True)
    )


CASES = [
    (algorithm, name)
    for algorithm, found in ALGORITHMS.items()
    for name, precision in PRECISIONS.items()
    if precision is None or precision.accumulator in found.accumulators
]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("algorithm, name", CASES)
def test_resumed_run_is_the_uninterrupted_one(algorithm, name, dtype):
    """In the middle of a cycle, through a file that holds plain data and tensors only."""
    whole = build(PRECISIONS[name], dtype, name=algorithm)
    advance(whole, 7)
    first = build(PRECISIONS[name], dtype, name=algorithm)
    advance(first, 3)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in first], file)
    file.seek(0)
    second = build(PRECISIONS[name], dtype, seed=99, name=algorithm)
    for part, state in zip(second, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    assert_same(first, second)
    advance(second, 4)
    assert_same(whole, second)


@pytest.mark.parametrize("algorithm, name", CASES)
def test_result_does_not_depend_on_the_number_of_threads(algorithm, name):
    results = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        torch.set_num_threads(threads)
        parts = build(PRECISIONS[name], torch.float32, name=algorithm)
        advance(parts, 3)
        results.append(parts)
    assert_same(*results)


CONTINUE = """
import sys, torch
from tests.samplers.test_resume import PRECISIONS, advance, build
parts = build(PRECISIONS["variance_corrected"], torch.float32, seed=99, name="SGHMC")
for part, state in zip(parts, torch.load(sys.argv[1], weights_only=True), strict=True):
    part.load_state_dict(state)
advance(parts, 4)
torch.save([part.state_dict() for part in parts], sys.argv[1])
"""


def test_another_process_goes_on_with_the_same_bits(tmp_path):
    file = tmp_path / "state.pt"
    whole, first = (
        build(PRECISIONS["variance_corrected"], torch.float32, name="SGHMC") for _ in range(2)
    )
    advance(whole, 7)
    advance(first, 3)
    torch.save([part.state_dict() for part in first], file)
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", CONTINUE, str(file)], cwd=root, check=True)
    for part, state in zip(first, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    assert_same(whole, first)


@pytest.mark.parametrize("name", ["full", "low"])
def test_loading_copies_the_state(name):
    parts = build(PRECISIONS[name], torch.float32)
    advance(parts, 1)
    saved = parts[1].state_dict()
    other = build(PRECISIONS[name], torch.float32)
    other[1].load_state_dict(saved)
    tensors = [v for s in saved["state"].values() for v in s.values() if torch.is_tensor(v)]
    held = [t.clone() for t in tensors]
    places = {t.data_ptr() for t in tensors}
    for state in other[1].state.values():
        assert not places & {v.data_ptr() for v in state.values() if torch.is_tensor(v)}
    advance(other, 3)
    assert all(torch.equal(a, b) for a, b in zip(tensors, held, strict=True))


def test_state_of_another_optimizer_is_refused():
    weight = torch.nn.Parameter(torch.ones(3))
    other = torch.optim.SGD([weight], 0.1, momentum=0.9)
    weight.grad = torch.ones(3)
    other.step()
    with pytest.raises(ValueError, match="no state of SGLD"):
        SGLD([weight], 0.1, num_data=1).load_state_dict(other.state_dict())


def test_state_of_another_accumulator_is_refused():
    saved = build(PRECISIONS["full"], torch.float32)[1].state_dict()
    with pytest.raises(ValueError, match="accumulator"):
        build(PRECISIONS["low"], torch.float32)[1].load_state_dict(saved)


def test_priors_and_precisions_of_groups_stay_with_the_optimizer():
    """They are no plain data; the rest of a group's options comes from the file."""

    def make(lr):
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 40))
        group = {"params": [weight], "prior": Laplace(0.5), "precision": PRECISIONS["low"]}
        return weight, SGLD([group], lr, num_data=3)

    def go(weight, optimizer):
        weight.grad = torch.full_like(weight, 0.01)
        optimizer.step()

    first, saved = make(0.1)
    go(first, saved)
    file = io.BytesIO()
    torch.save([saved.state_dict(), first.detach()], file)
    file.seek(0)
    second, loaded = make(0.9)
    state, values = torch.load(file, weights_only=True)
    loaded.load_state_dict(state)
    second.data.copy_(values)
    assert loaded.param_groups[0]["lr"] == 0.1
    assert loaded.param_groups[0]["prior"] == Laplace(0.5)
    go(first, saved)
    go(second, loaded)
    assert torch.equal(first, second)
    assert "accumulator" not in loaded.state[second]


def test_accumulating_gradients_over_parts_of_a_batch_is_the_whole_batch():
    """At the bits: halves of a batch whose means are exact."""
    weights = [torch.nn.Parameter(torch.zeros(4)) for _ in range(2)]
    data = torch.arange(32, dtype=torch.float32).reshape(8, 4) / 8
    whole, parts = (SGLD([w], 0.25, num_data=8) for w in weights)
    for _ in range(3):
        for weight, pieces in zip(weights, (1, 2), strict=True):
            weight.grad = None
            for piece in data.chunk(pieces):
                (((weight * piece).sum(1)).mean() / pieces).backward()
        whole.step()
        parts.step()
    assert torch.equal(*weights)
