"""A run that was interrupted gives the bits of the uninterrupted one, in every precision, on any
number of threads."""

import io

import numba
import pytest
import torch

from samplers import SGLD, CosineCycles, PerChannel, Precision

PRECISIONS = {
    "float32": None,
    "full": Precision("fixed<8,5>", "e4m3", "full"),
    "low": Precision("e4m3", "e4m3", "low"),
    "variance_corrected": Precision("fixed<8,5>", "fixed<8,5>", "variance_corrected"),
    "per channel": Precision(PerChannel(8), PerChannel(8), "variance_corrected"),
}


def build(precision, dtype, seed=3):
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Linear(6, 300), torch.nn.Tanh(), torch.nn.Linear(300, 2)
    ).to(dtype)
    optimizer = SGLD(model.named_parameters(), 0.05, num_data=100, precision=precision, seed=seed)
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
    assert all(
        x.dtype == y.dtype and torch.equal(x, y) for x, y in zip(tensors_a, tensors_b, strict=True)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", PRECISIONS)
def test_resumed_run_is_the_uninterrupted_one(name, dtype):
    whole = build(PRECISIONS[name], dtype)
    advance(whole, 7)
    first = build(PRECISIONS[name], dtype)
    advance(first, 3)
    file = io.BytesIO()
    torch.save([part.state_dict() for part in first], file)
    file.seek(0)
    second = build(PRECISIONS[name], dtype, seed=99)
    for part, state in zip(second, torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    assert_same(first, second)
    advance(second, 4)
    assert_same(whole, second)


@pytest.mark.parametrize("name", PRECISIONS)
def test_result_does_not_depend_on_the_number_of_threads(name):
    results = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        parts = build(PRECISIONS[name], torch.float32)
        advance(parts, 3)
        results.append(parts)
    assert_same(*results)


def test_loading_copies_the_state():
    parts = build(PRECISIONS["full"], torch.float32)
    advance(parts, 1)
    other = build(PRECISIONS["full"], torch.float32)
    other[1].load_state_dict(parts[1].state_dict())
    held = next(iter(parts[1].state.values()))["accumulator"].clone()
    advance(other, 1)
    assert torch.equal(next(iter(parts[1].state.values()))["accumulator"], held)


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
